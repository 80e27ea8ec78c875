"""Saga and real store against a model of Shop and a broker that drops, doubles, delays and reorders; crashes between.

After every step the books have to be right; in the end, when the faults stop, every purchase has to be settled.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from chassis.database import migrations
from chassis.database.database import Database
from chassis.messaging.envelope import Envelope, new_id
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import Offer, Purchase, PurchaseRequest
from extracted.account.purchases.domain.saga import TRANSITIONS, PurchaseState
from extracted.account.purchases.service.buy import _without_purchase
from extracted.account.purchases.service.orders import Order
from tests.support.effort import examples
from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.account.purchases.world import MIGRATIONS, ShopModel, World, requested, world

T = TypeVar("T")
PRICES = (3, 7)
POINTS = 8
CRASHES = {
    messages.REQUESTED: ("account.before_debit_commit", "account.debited"),
    messages.DECREASED: ("account.before_settle_commit", "account.settled"),
    messages.REFUSED: ("account.before_refund_commit", "account.before_settle_commit", "account.settled"),
    messages.CANCELLED: ("account.before_refund_commit", "account.settled"),
}


class Crashed(Exception):
    """The process is gone at a failpoint."""


@dataclass
class MemoryShop(ShopModel):
    """Rows by purchase: user, item, whether live."""

    sold: dict[str, tuple[str, str, bool]] = field(default_factory=dict)

    def rows(self, user_id: str, item_id: str) -> list[dict[str, Any]]:
        return [
            {"id": id, "deleted_at": None if live else "since"}
            for id, (user, item, live) in self.sold.items()
            if (user, item) == (user_id, item_id)
        ]

    def sell(self, purchase_id: str, user_id: str, item_id: str) -> None:
        assert purchase_id not in self.sold, "a second row for one purchase"
        self.sold[purchase_id] = (user_id, item_id, True)


class Purchases(RuleBasedStateMachine):
    """Messages are in `air` until they are taken away: each may be delivered again, later, or out of order."""

    template: ClassVar[Path]
    patch: ClassVar[pytest.MonkeyPatch]
    users: Bundle[str] = Bundle("users")
    items: Bundle[str] = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(mkdtemp())
        shutil.copy(self.template, self.folder / "db.sqlite3")
        self.monolith = MonolithFile(self.folder / "db.sqlite3")
        self.world: World = self.do(self._opened)
        self.shop = MemoryShop(self.monolith)
        object.__setattr__(self.world.service, "offers", self.shop)
        self.looks: list[tuple[PurchaseRequest, Purchase | None, Offer | None]] = []
        self.air: list[Envelope] = []
        self.sent: list[Envelope] = []
        self.granted: Counter[str] = Counter()
        self.stocked: Counter[str] = Counter()
        self.seen: dict[str, PurchaseState] = {}
        self.crash_at: str | None = None
        for module in ("orders", "decisions"):
            self.patch.setattr(f"extracted.account.purchases.service.{module}.reach", self.reach)

    async def _opened(self) -> World:
        return world(self.monolith, Database(self.monolith.url))

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await work()

        return self.loop.run_until_complete(bounded())

    async def reach(self, name: str) -> None:
        if name == self.crash_at:
            raise Crashed(name)

    @initialize(target=users)
    def some_users(self) -> Any:
        users = [self.monolith.add_user("user", points=POINTS) for _ in range(2)]
        self.granted.update(dict.fromkeys(users, POINTS))
        return multiple(*users)

    @initialize(target=items)
    def some_items(self) -> Any:
        items = [self.shop.add(price, stock) for price, stock in zip(PRICES, (None, 1), strict=True)]
        self.stocked.update({item: self.shop.stock.get(item, 0) for item in items})
        return multiple(*items)

    @rule(user=users, item=items)
    def a_user_asks(self, user: str, item: str) -> None:
        self.sent.append(requested(user, item))
        self.air.append(self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 100))
    def a_request_is_repeated(self, which: int) -> None:
        self.air.append(self.sent[which % len(self.sent)])

    @rule(user=users, item=items)
    def a_user_calls(self, user: str, item: str) -> None:
        asked = PurchaseRequest(new_id(), user, item)
        self.do(lambda: self.world.service.buy(asked))

    @rule(user=users, item=items)
    def a_user_is_looked_up(self, user: str, item: str) -> None:
        """Between the looks and the transaction anything may happen."""
        asked = messages.purchase_request(requested(user, item))
        seen, _ = self.do(lambda: self.world.service._blocking(asked, with_age=False))
        joins = seen is not None and seen.is_open
        self.looks.append((asked, seen, None if joins else self.do(lambda: self.shop.find(user, item))))

    @precondition(lambda self: self.looks)
    @rule(which=st.integers(0, 100))
    def what_was_seen_is_acted_on(self, which: int) -> None:
        asked, seen, offer = self.looks.pop(which % len(self.looks))
        self.do(lambda: self.world.service.write(Order(asked, seen, offer, _without_purchase(seen, offer))))

    @rule(confirmed=st.booleans())
    def the_outbox_is_brought_away(self, confirmed: bool) -> None:
        """Or the relay dies before it has noted that it was."""
        commands = self.do(self.world.commands)
        self.air += commands
        if confirmed and commands:
            self.do(lambda: self.world.confirm(*commands))

    @precondition(lambda self: self.air)
    @rule(which=st.integers(0, 100), again=st.booleans())
    def a_message_arrives(self, which: int, again: bool) -> None:
        message = self.air[which % len(self.air)]
        self.deliver(message)
        if not again:
            self.air.remove(message)

    @precondition(lambda self: any(message.type in CRASHES for message in self.air))
    @rule(which=st.integers(0, 100), where=st.integers(0, 2))
    def account_dies_over_a_message(self, which: int, where: int) -> None:
        """Unacknowledged, it is delivered again."""
        ours = [message for message in self.air if message.type in CRASHES]
        message = ours[which % len(ours)]
        places = CRASHES[message.type]
        self.crash_at = places[where % len(places)]
        try:
            self.deliver(message)
        except Crashed:
            pass
        finally:
            self.crash_at = None

    @precondition(lambda self: any(message.type != messages.REQUESTED for message in self.air))
    @rule(which=st.integers(0, 100))
    def a_message_is_lost(self, which: int) -> None:
        """A broker that keeps its word loses nothing; the saga has to end all the same."""
        lossy = [message for message in self.air if message.type != messages.REQUESTED]
        self.air.remove(lossy[which % len(lossy)])

    @rule()
    def the_shop_is_silent_for_long(self) -> None:
        """All that it is asked, and answers, is lost meanwhile."""
        for _ in range(2):
            self.do(self.world.published)
            self.time_passes(31)
        self.air = [message for message in self.air if message.type == messages.REQUESTED]
        self.do(self.world.published)

    @rule(seconds=st.sampled_from([1, 6, 31, 400]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.forward(seconds)
        self.do(self.world.saga_timeouts.check_due)

    @rule(user=users, item=items)
    def the_monolith_sells(self, user: str, item: str) -> None:
        cost = int(self.shop.items[item].cost or 0)
        if self.shop.live(user, item) is None and self.world.points(user) >= cost:
            self.shop.sell(new_id(), user, item)
            self.grant(user, -cost)

    @rule(user=users, item=items)
    def a_row_is_removed(self, user: str, item: str) -> None:
        live = self.shop.live(user, item)
        if live is not None:
            self.shop.sold[live] = (user, item, False)

    @rule(user=users, points=st.integers(1, 9))
    def points_are_rewarded(self, user: str, points: int) -> None:
        self.grant(user, points)

    @rule(item=items)
    def an_item_is_restocked(self, item: str) -> None:
        if item in self.shop.stock:
            self.shop.stock[item] += 1
            self.stocked[item] += 1

    def grant(self, user: str, points: int) -> None:
        self.monolith.add_points(user, points)
        self.granted[user] += points

    def deliver(self, message: Envelope) -> None:
        if message.type == messages.REQUESTED:
            self.do(lambda: self.world.service.buy(messages.purchase_request(message)))
        elif message.type in (messages.DECREASE, messages.CANCEL):
            self.air.append(self.shop.handle(message))
        else:
            self.do(lambda: self.world.settle(message))

    @invariant()
    def the_books_are_right(self) -> None:
        purchases = self.do(self.world.purchases)
        self.no_terminal_state_changes(purchases)
        self.one_blocks(purchases)
        self.what_is_revoked_was_removed(purchases)
        self.points_add_up(purchases)
        self.ledger_and_decisions_agree(purchases)
        self.stock_adds_up()

    def no_terminal_state_changes(self, purchases: list[Purchase]) -> None:
        for one in purchases:
            before = self.seen.get(one.id, one.state)
            assert before is one.state or any(
                before is state and step.next is one.state
                for (state, _), step in TRANSITIONS.items()
                if state is not step.next
            )
            self.seen[one.id] = one.state

    def one_blocks(self, purchases: list[Purchase]) -> None:
        assert all(
            count == 1 for count in Counter((one.user_id, one.item_id) for one in purchases if one.blocks).values()
        )

    def what_is_revoked_was_removed(self, purchases: list[Purchase]) -> None:
        assert not [one.id for one in purchases if one.revoked_at and self.shop.sold[one.id][2]]

    def points_add_up(self, purchases: list[Purchase]) -> None:
        spent: Counter[str] = Counter()
        for one in purchases:
            spent[one.user_id] += 0 if one.state in (PurchaseState.REJECTED, PurchaseState.REFUNDED) else one.price
        for user, granted in self.granted.items():
            assert self.world.points(user) == granted - spent[user] >= 0

    def ledger_and_decisions_agree(self, purchases: list[Purchase]) -> None:
        lines = self.do(self.world.ledger)
        for one in purchases:
            booked = sorted((entry.kind, entry.delta) for entry in lines if entry.purchase_id == one.id)
            debit, refund = ("debit", -one.price), ("refund", one.price)
            wanted = {PurchaseState.REJECTED: [], PurchaseState.REFUNDED: [debit, refund]}.get(one.state, [debit])
            assert booked == wanted
            decision = self.shop.decisions.get(one.id, (None, None))[0]
            assert one.state is not PurchaseState.COMPLETED or decision == messages.DECREASED
            assert one.state is not PurchaseState.REFUNDED or decision in (messages.REFUSED, messages.CANCELLED)
            assert one.state is not PurchaseState.REJECTED or decision is None
        assert {entry.purchase_id for entry in lines} <= {one.id for one in purchases}

    def stock_adds_up(self) -> None:
        own = [id for id, (kind, _) in self.shop.decisions.items() if kind == messages.DECREASED]
        assert set(own) <= set(self.shop.sold)
        for item, left in self.shop.stock.items():
            sold = sum(1 for id in own if self.shop.sold[id][1] == item)
            assert left >= 0
            assert self.stocked[item] == left + sold

    def teardown(self) -> None:
        try:
            self.everything_ends()
            self.the_books_are_right()
        finally:
            self.do(self.world.database.aclose)
            self.loop.close()
            self.monolith.close()
            shutil.rmtree(self.folder)

    def everything_ends(self) -> None:
        """The faults have stopped: what is in the air arrives, what is silent is asked again."""
        for _ in range(8):
            while self.air:
                self.deliver(self.air.pop())
            purchases = self.do(self.world.purchases)
            if not any(one.is_open for one in purchases):
                break
            self.air += self.do(self.world.published)
            self.time_passes(400)
        assert not [one for one in self.do(self.world.purchases) if one.is_open], "a purchase does not end"
        decided = {one.id: one.state for one in self.do(self.world.purchases)}
        for id, (kind, _) in self.shop.decisions.items():
            assert (decided[id] is PurchaseState.COMPLETED) == (kind == messages.DECREASED)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    MonolithFile(tmp_path / "template.sqlite3").close()
    asyncio.run(migrations.upgrade(f"sqlite:///{tmp_path / 'template.sqlite3'}", "account", MIGRATIONS))
    return tmp_path / "template.sqlite3"


@pytest.mark.walk
def test_the_books_are_right_and_every_purchase_ends(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Purchases.template, Purchases.patch = template, monkeypatch
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    most = examples(32)
    run(Purchases, settings=settings(max_examples=most, stateful_step_count=35, suppress_health_check=quiet))
