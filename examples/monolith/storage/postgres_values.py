"""Which values PostgreSQL takes: checked here, because SQLite takes more."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from examples.monolith.http.refusals import InternalFailure

TEXT_WIDTH = 255
"""Of a varchar as Sequelize makes it."""
POSTGRES_UUID = re.compile(r"(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}|\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\}", re.IGNORECASE)


def postgres_uuid(value: str) -> str:
    """The canonical form of what PostgreSQL reads as a UUID; anything else fails there, so here too."""
    if not POSTGRES_UUID.fullmatch(value):
        raise InternalFailure(f"{value!r} is no UUID to PostgreSQL")
    return str(uuid.UUID(value))


def postgres_text(value: str, longest: int | None = None) -> str:
    """PostgreSQL refuses NUL in text, and more characters than a column is wide; SQLite would keep both."""
    if "\0" in value or (longest is not None and len(value) > longest):
        raise InternalFailure("PostgreSQL takes no NUL in text, and no more characters than the column is wide")
    return value


def condition_text(value: str) -> str:
    """As Sequelize writes a NUL into the text of a condition: two characters, which PostgreSQL takes."""
    return value.replace("\0", "\\0")


def postgres_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same of every text among the values."""
    return {name: postgres_text(value) if isinstance(value, str) else value for name, value in values.items()}
