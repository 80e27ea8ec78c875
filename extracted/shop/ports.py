"""What the shop's use cases need from outside: stores for items, purchases, quantities, decisions."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from chassis.messaging.envelope import Envelope
from extracted.shop.decision import Known, Purchase, SaleDecision
from extracted.shop.domain import (
    DecisionRow,
    Item,
    ItemFields,
    ItemSelection,
    OwnedItems,
    Quantity,
    StockRow,
    TransactionRow,
    Transactions,
)


class Items(Protocol):
    """The store of items. Ids are compared exactly as spelled."""

    async def find(self, item_id: str) -> Item | None:
        """None: there is no such item."""
        ...

    async def find_all(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        """Id → item, for those that exist."""
        ...

    async def select(self, selection: ItemSelection) -> Sequence[Item]:
        """One page. Without an order, in the order of the store."""
        ...

    async def add(self, item_id: str, fields: ItemFields) -> Item:
        """Adds an item under a new id."""
        ...

    async def change(self, item_id: str, fields: ItemFields) -> Item | None:
        """Changes these fields in one step, without touching others. None: there is no such item."""
        ...

    async def remove(self, item_id: str) -> bool:
        """False: there is no such item. Its transactions stay."""
        ...


class Purchases(Protocol):
    """The store of transactions: who has bought what. Ids in canonical form."""

    async def live(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """(user, item) → the id of a row that is not deleted, whoever wrote it. Pairs without one are left out."""
        ...

    async def page(self, offset: int, limit: int) -> Transactions:
        """In the order of the store."""
        ...

    async def items_of(self, user_id: str, offset: int, limit: int) -> OwnedItems:
        """The items that a user has bought, each once, the latest purchase first."""
        ...


class Quantities(Protocol):
    """The store of quantities: how many of an item are left. Ids in canonical form."""

    async def find(self, item_id: str) -> Quantity:
        """Unlimited if nobody has set one."""
        ...

    async def set(self, item_id: str, quantity: Quantity) -> None:
        """Sets how many are left from now on. A sale at the same time counts as before or as after."""
        ...


class DecisionTransaction(Protocol):
    """One transaction about several purchases, each of another user or item."""

    async def known(self, purchases: Sequence[Purchase]) -> Sequence[Known]:
        """What the stores hold about each of them, in their order."""
        ...

    async def take(self, item_id: str) -> bool:
        """Takes one of what is left. False: none is left."""
        ...

    async def record(self, purchase: Purchase, decided: SaleDecision) -> None:
        """Stores the decision for ever, and a row of `transactions` if it is a sale. `answer` must follow."""
        ...

    async def answer(self, envelopes: Sequence[Envelope]) -> None:
        """Sends the answers after the commit."""
        ...


class Decisions(Protocol):
    """The store of decisions."""

    def transaction(self, purchases: Sequence[Purchase]) -> AbstractAsyncContextManager[DecisionTransaction]:
        """Commits when the block ends without an exception. Until then nobody else can decide on these users and items.

        Raises StoreUnavailable: for several purchases also if one of them has to wait for somebody else.
        """
        ...


class AuditRecords(Protocol):
    """Pages of stored rows for audits, in the order of ids, from the first after `after` (None: from the start)."""

    async def decisions(self, after: str | None, limit: int) -> Sequence[DecisionRow]:
        """By the id of the purchase."""
        ...

    async def stock(self, after: str | None, limit: int) -> Sequence[StockRow]:
        """By the id of the item."""
        ...


class TransactionRecords(Protocol):
    """The same for `transactions`."""

    async def rows(self, after: str | None, limit: int) -> Sequence[TransactionRow]:
        """Deleted rows included."""
        ...
