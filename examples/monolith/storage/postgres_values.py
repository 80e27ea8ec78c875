"""Refuses values that PostgreSQL refuses, because SQLite takes more."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from examples.monolith.http.errors import InternalFailure

TEXT_WIDTH = 255
"""The width of a varchar that Sequelize makes."""
POSTGRES_UUID = re.compile(r"(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}|\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\}", re.IGNORECASE)


def postgres_uuid(value: str) -> str:
    """The canonical form of a UUID as PostgreSQL reads it. Raises InternalFailure for any other text."""
    if not POSTGRES_UUID.fullmatch(value):
        raise InternalFailure(f"PostgreSQL does not read {value!r} as a UUID")
    return str(uuid.UUID(value))


def postgres_text(value: str, longest: int | None = None) -> str:
    """Raises InternalFailure for NUL, and for text wider than its column: PostgreSQL refuses both, SQLite neither."""
    if "\0" in value or (longest is not None and len(value) > longest):
        raise InternalFailure("PostgreSQL refuses NUL in text, and text wider than its column")
    return value


def condition_text(value: str) -> str:
    """Sequelize writes a NUL in a condition as two characters, which PostgreSQL accepts."""
    return value.replace("\0", "\\0")


def postgres_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Applies postgres_text to every text among the values."""
    return {name: postgres_text(value) if isinstance(value, str) else value for name, value in values.items()}
