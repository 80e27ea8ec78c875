"""UUIDs as text: the one spelling in which ids are compared and stored."""

import re
import uuid

_SPELLINGS = re.compile(r"(\{)?(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}(?(1)\})")


def canonical_uuid(text: str) -> str | None:
    """36 lower-case characters from any spelling that PostgreSQL accepts (its manual, §8.12); None for other text."""
    return str(uuid.UUID(text)) if _SPELLINGS.fullmatch(text) else None
