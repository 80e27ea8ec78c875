"""Tells which texts are UUIDs for the monolith's validator."""

import re

_VALIDATED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def is_uuid(text: str) -> bool:
    """Any version, either case, four dashes: what validator.js accepts."""
    return _VALIDATED.fullmatch(text) is not None


def is_uuid_v4(text: str) -> bool:
    """The same, version 4 only."""
    return _V4.fullmatch(text) is not None
