"""The use cases of the shop."""

import uuid
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chassis.batcher import Batcher, GatherPace
from chassis.failpoints import reach
from chassis.messaging.envelope import MessageInvalid, new_id
from chassis.uuid_text import canonical_uuid
from extracted.shop import decision, messages
from extracted.shop.decision import CANCELLED, Known, Purchase, SaleDecision
from extracted.shop.domain import Item, ItemFields, Offer, Quantity
from extracted.shop.messages import ShopCommand
from extracted.shop.ports import Decisions, DecisionTransaction, Items, Purchases, Quantities

PACE: Final = GatherPace(least_s=0.002, most_s=0.05, calls=2)
"""How long a command waits for others under load."""


class NotAnId(Exception):
    """The text is not the id of an item."""


def _random_id() -> str:
    return str(uuid.uuid4())


def _now() -> datetime:
    return datetime.now(UTC)


class Sales:
    """Decides whether an item is sold, once for each purchase. Commands that come together share a transaction."""

    def __init__(
        self, decisions: Decisions, clock: Callable[[], datetime] = _now, new_id: Callable[[], str] = new_id
    ) -> None:
        self.decisions = decisions
        self._clock, self._new_id = clock, new_id
        self._commands = Batcher(self._decide, pace=PACE, keys=_keys, common=())

    async def decide(self, command: ShopCommand) -> None:
        """Answers every command, also a repeated one. Raises MessageInvalid for one that contradicts the decision."""
        await self._commands.answer(command)

    async def _decide(self, commands: Sequence[ShopCommand]) -> Sequence[None]:
        async with self.decisions.transaction([command.purchase for command in commands]) as deciding:
            answers = []
            for command, known in zip(commands, await _known(deciding, commands), strict=True):
                decided = await self._decided(deciding, command, known)
                answers.append(messages.answer(command, decided, self._new_id, self._clock()))
            await deciding.answer(answers)
            await reach("shop.before_commit")
        await reach("shop.decided")
        return [None] * len(commands)

    async def _decided(self, deciding: DecisionTransaction, command: ShopCommand, known: Known) -> SaleDecision:
        if known.decided is None:
            decided = CANCELLED if command.is_cancel else await self._sold(deciding, command.purchase, known)
            await deciding.record(command.purchase, decided)
            return decided
        if known.purchase != command.purchase:
            raise MessageInvalid(f"purchase {command.purchase.id} was decided for another user or another item")
        return known.decided

    async def _sold(self, deciding: DecisionTransaction, purchase: Purchase, known: Known) -> SaleDecision:
        refused = decision.refusal(known)
        return refused or decision.sold(taken=not known.is_limited or await deciding.take(purchase.item_id))


def _keys(command: ShopCommand) -> Sequence[Hashable]:
    """Of two commands about one purchase, or one user and item, the second needs to see what the first has decided."""
    purchase = command.purchase
    return purchase.id, (purchase.user_id, purchase.item_id)


async def _known(deciding: DecisionTransaction, commands: Sequence[ShopCommand]) -> Sequence[Known]:
    return await deciding.known([command.purchase for command in commands])


@dataclass(frozen=True, slots=True)
class Shop:
    """Items, and who has bought them."""

    items: Items
    purchases: Purchases
    new_id: Callable[[], str] = _random_id

    async def create(self, fields: ItemFields) -> Item:
        """Adds an item under a new id. `fields`: all of them."""
        return await self.items.add(self.new_id(), fields)

    async def bought(self, user_id: str, item_id: str) -> Item | None:
        """The item as this user may see it. None: there is no such item. Raises NotAnId."""
        canonical = canonical_uuid(item_id)
        if canonical is None:
            raise NotAnId(f"{item_id!r} is not a UUID")
        has_bought = bool(await self.purchases.live([(user_id, canonical)]))
        item = await self.items.find(item_id)
        return item if item is None or has_bought else item.withheld()

    async def owned(self, user_id: str, offset: int, limit: int) -> tuple[Sequence[Item], int]:
        """A page of the items that a user has bought, with their data, and the number on all pages.

        An item that was removed since is counted, and left out.
        """
        ids = await self.purchases.items_of(user_id, offset, limit)
        items = await self.items.find_all(ids.page) if ids.page else {}
        return [items[item_id] for item_id in ids.page if item_id in items], ids.total

    async def offers(self, asked: Sequence[tuple[str, str]]) -> list[Offer | None]:
        """Answers Account before it charges users. `asked`: (user id in canonical form, item id). None: no such item.

        Reads each store once.
        """
        ids = {item: canonical for _, item in asked if (canonical := canonical_uuid(item)) is not None}
        items = await self.items.find_all(ids) if ids else {}
        pairs = {(user, ids[item]) for user, item in asked if item in items}
        rows = await self.purchases.live(pairs) if pairs else {}
        return [Offer(items[item], rows.get((user, ids[item]))) if item in items else None for user, item in asked]


@dataclass(frozen=True, slots=True)
class Stock:
    """How many of an item are left. All methods return None if there is no such item."""

    items: Items
    quantities: Quantities

    async def quantity(self, item_id: str) -> Quantity | None:
        """The quantity now."""
        canonical = await self._existing(item_id)
        return None if canonical is None else await self.quantities.find(canonical)

    async def set(self, item_id: str, quantity: Quantity) -> Quantity | None:
        """Returns what was set."""
        canonical = await self._existing(item_id)
        if canonical is None:
            return None
        await self.quantities.set(canonical, quantity)
        return quantity

    async def _existing(self, item_id: str) -> str | None:
        canonical = canonical_uuid(item_id)
        return None if canonical is None or await self.items.find(item_id) is None else canonical
