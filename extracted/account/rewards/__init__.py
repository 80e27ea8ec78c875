"""Pays the rewards that Learning says somebody has earned. What earns a reward is decided there alone."""
