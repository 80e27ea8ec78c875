"""Where Account keeps purchases: tables of its own in the monolith's database, so that one transaction covers both."""

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
"""What makes them."""
