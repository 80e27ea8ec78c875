"""Rewards: the first success of a user and a component earns points. Learning decides that, Account pays."""
