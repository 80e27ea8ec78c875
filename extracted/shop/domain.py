"""What an item is, and who may see which part of it."""

import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

ADMIN = "admin"
_UUID = re.compile(r"(\{)?(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}(?(1)\})")


@dataclass(frozen=True, slots=True)
class Item:
    """`cost` in points; `data` is what the buyer pays for, None while it is withheld."""

    id: str
    cost: float
    type: str
    data: Mapping[str, object] | None

    def withheld(self) -> "Item":
        """The item as one sees it who has not bought it."""
        return replace(self, data=None)


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """A page of items; None: every type, no order."""

    offset: int
    limit: int
    types: Collection[str] | None = None
    cost_descending: bool | None = None


def may_read_items(roles: Collection[str]) -> bool:
    """Items in full are for administrators; everybody else reads what was bought."""
    return ADMIN in roles


def canonical_uuid(text: str) -> str | None:
    """36 lower-case characters from any spelling that PostgreSQL reads (its manual, §8.12); None for anything else."""
    return str(uuid.UUID(text)) if _UUID.fullmatch(text) else None
