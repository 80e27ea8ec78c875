"""Mailer's rows: a SQLite file of its own, or a schema on PostgreSQL. Knows no web and no SMTP."""

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
"""The migrations that create the tables."""
