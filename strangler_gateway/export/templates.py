"""Templates of rewrites: `/items/{id}`, `/platform/{rest...}`."""

import re

VARIABLE = re.compile(r"\{([^{}.]+)(?:\.\.\.)?\}")
"""Splits a template into literal, name, literal, …"""
