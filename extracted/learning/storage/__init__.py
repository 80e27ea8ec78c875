"""Implements Learning's ports on its own tables, which lie beside the monolith's in one database. It knows no web."""

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
"""Makes the tables."""
