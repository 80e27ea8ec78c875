"""What the shop's use cases need from outside."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from chassis.messaging.envelope import Envelope
from extracted.shop.decision import Decision, Known, Purchase
from extracted.shop.domain import (
    DecisionRow,
    Item,
    ItemFields,
    ItemSelection,
    Quantity,
    StockRow,
    TransactionRow,
    Transactions,
)


class Items(Protocol):
    """Where items are kept; their ids are compared exactly as spelled."""

    async def find(self, item_id: str) -> Item | None:
        """None: there is none."""
        ...

    async def find_all(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        """By their ids, those that there are."""
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

    async def live(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """(user, item) → the id of a row that is not deleted, whoever recorded it, for those who have bought."""
        ...

    async def page(self, offset: int, limit: int) -> Transactions:
        """In the order of the store."""
        ...


class Quantities(Protocol):
    """How many of an item are left. Ids in canonical form."""

    async def find(self, item_id: str) -> Quantity:
        """Unlimited where nobody has set one."""
        ...

    async def set(self, item_id: str, quantity: Quantity) -> None:
        """So many are left from now on; sales at the same time come before or after."""
        ...


class Deciding(Protocol):
    """One transaction."""

    async def known(self, purchase: Purchase) -> Known:
        """The one that the transaction is about."""
        ...

    async def take(self, item_id: str) -> bool:
        """One less is left; False: none was."""
        ...

    async def record(self, purchase: Purchase, decided: Decision) -> None:
        """For ever; with a row of `transactions` where it was sold. An answer has to follow."""
        ...

    async def answer(self, envelope: Envelope) -> None:
        """Goes out after the commit."""
        ...


class Decisions(Protocol):
    """Where they are kept."""

    def transaction(self, purchase: Purchase) -> AbstractAsyncContextManager[Deciding]:
        """Commits when the block ends well; until then nobody else decides on that user and item.

        Raises StoreUnavailable.
        """
        ...

    async def sell(self, purchase: Purchase, envelope: Envelope) -> bool:
        """A sale that nothing stands in the way of, at once: as Deciding's `record` and `answer`. False: something
        does, or the store has no such way: nothing was written. Raises StoreUnavailable.
        """
        ...


class Records(Protocol):
    """What is kept, for audits: pages in the order of ids, from the first after `after` (None: the very first)."""

    async def decisions(self, after: str | None, limit: int) -> Sequence[DecisionRow]:
        """By purchase."""
        ...

    async def stock(self, after: str | None, limit: int) -> Sequence[StockRow]:
        """By item."""
        ...


class TransactionRecords(Protocol):
    """The same of `transactions`."""

    async def rows(self, after: str | None, limit: int) -> Sequence[TransactionRow]:
        """Deleted ones, too."""
        ...
