"""Which texts are UUIDs: to the monolith's validator, and to PostgreSQL, which is more liberal."""

import re
import uuid

_VALIDATED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_STORED = re.compile(r"(\{)?(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}(?(1)\})")


def is_uuid(text: str) -> bool:
    """Of any version, in either case, with its four dashes: what validator.js takes."""
    return _VALIDATED.fullmatch(text) is not None


def is_uuid_v4(text: str) -> bool:
    """The same of version 4 alone."""
    return _V4.fullmatch(text) is not None


def canonical_uuid(text: str) -> str | None:
    """36 lower-case characters from any spelling that PostgreSQL reads (its manual, §8.12); None for anything else."""
    return str(uuid.UUID(text)) if _STORED.fullmatch(text) else None
