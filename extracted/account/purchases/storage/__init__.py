"""Account's own tables, in the monolith's database so that one transaction covers both. No rules of the business."""

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
"""The folder of the migrations that create the tables."""
