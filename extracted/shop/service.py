"""The use cases of the shop, and the ports that they need."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from extracted.shop.domain import Item, ItemFields, ItemSelection, Transactions, canonical_uuid


class NotAnId(Exception):
    """The text cannot name an item."""


class Items(Protocol):
    """Where items are kept; their ids are compared exactly as spelled."""

    async def find(self, item_id: str) -> Item | None:
        """None: there is none."""
        ...

    async def select(self, selection: ItemSelection) -> Sequence[Item]:
        """One page; without an order, in that of the store."""
        ...

    async def add(self, item_id: str, fields: ItemFields) -> Item:
        """A new one, under an id that nobody has."""
        ...

    async def change(self, item_id: str, fields: ItemFields) -> Item | None:
        """These fields at once, whatever else is changed meanwhile; None: there is none."""
        ...

    async def remove(self, item_id: str) -> bool:
        """False: there was none. Its transactions stay."""
        ...


class Purchases(Protocol):
    """Who has bought what. Ids in canonical form."""

    async def has(self, user_id: str, item_id: str) -> bool:
        """Whoever recorded it."""
        ...

    async def page(self, offset: int, limit: int) -> Transactions:
        """In the order of the store."""
        ...


def _random_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Shop:
    """All of the shop but buying."""

    items: Items
    purchases: Purchases
    new_id: Callable[[], str] = _random_id

    async def create(self, fields: ItemFields) -> Item:
        """An item with all of its fields, under a new id."""
        return await self.items.add(self.new_id(), fields)

    async def bought(self, user_id: str, item_id: str) -> Item | None:
        """The item as this user may see it; None: there is none. Raises NotAnId."""
        canonical = canonical_uuid(item_id)
        if canonical is None:
            raise NotAnId(f"{item_id!r} is no UUID")
        has_bought = await self.purchases.has(user_id, canonical)
        item = await self.items.find(item_id)
        return item if item is None or has_bought else item.withheld()
