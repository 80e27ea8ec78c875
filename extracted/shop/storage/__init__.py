"""The shop's own tables, beside the monolith's in one database: what it decided, and how many of an item are left."""

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
"""What makes them."""
