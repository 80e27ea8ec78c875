"""The use cases of the shop, and the ports that they need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extracted.shop.domain import Item, ItemSelection, canonical_uuid


class NotAnId(Exception):
    """The text cannot name an item."""


class Items(Protocol):
    """Where items are kept."""

    async def find(self, item_id: str) -> Item | None:
        """By id, exactly as spelled."""
        ...

    async def select(self, selection: ItemSelection) -> Sequence[Item]:
        """One page; without an order, in that of the store."""
        ...


class Purchases(Protocol):
    """Who has bought what."""

    async def has(self, user_id: str, item_id: str) -> bool:
        """Ids in canonical form."""
        ...


@dataclass(frozen=True, slots=True)
class Shop:
    """The reads of the shop."""

    items: Items
    purchases: Purchases

    async def bought(self, user_id: str, item_id: str) -> Item | None:
        """The item as this user may see it; None: there is none. Raises NotAnId."""
        canonical = canonical_uuid(item_id)
        if canonical is None:
            raise NotAnId(f"{item_id!r} is no UUID")
        has_bought = await self.purchases.has(user_id, canonical)
        item = await self.items.find(item_id)
        return item if item is None or has_bought else item.withheld()
