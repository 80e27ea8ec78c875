"""Where Mailer keeps its mails: a database of its own, or a schema beside the monolith's tables."""

from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
"""What makes the tables."""
