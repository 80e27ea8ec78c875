"""What operators see and do: lists, timelines, resume, cancel, refund, and the audit, over the operations API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, update
from starlette.responses import PlainTextResponse

from chassis.messaging.envelope import new_id
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.outbox.relay import OutboxRelay
from chassis.service.operators_status import read
from examples.monolith.storage.tables import transactions
from extracted.account.purchases import messages
from extracted.account.purchases.api import internal
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.operator_ports import BreachKind
from extracted.account.purchases.queues import AccountQueues
from extracted.account.purchases.service.operations import PurchaseOperations
from extracted.account.purchases.storage.operations import SqlOperatorStore
from legacy_adapter.account.sold_rows import LegacySoldRows
from tests.support.memory_broker import MemoryBroker
from tests.unit.extracted.account.purchases.world import World

TOKEN = "an-operator-token"
WHY = {"why": "a user has asked", "by": "ada (127.0.0.1)"}


@dataclass
class Desk:
    """An operator's."""

    world: World
    operations: PurchaseOperations
    failed_messages: FailedMessages
    http: httpx.AsyncClient

    async def get(self, path: str, **query: str | int) -> Any:
        answer = await self.http.get(f"/internal/{path}", params=query)
        return answer.json() if answer.status_code == 200 else answer.status_code

    async def post(self, path: str, body: object = WHY) -> tuple[int, Any]:
        answer = await self.http.post(f"/internal/{path}", json=body)
        return answer.status_code, answer.json()

    async def breaches(self) -> list[tuple[str, str]]:
        return [(one["kind"], one["purchaseId"]) for one in (await self.get("audit"))["breaches"]]

    async def debited(self) -> tuple[str, str, str]:
        """User, item, purchase."""
        user, item = self.world.user(), self.world.shop.add(10)
        return user, item, (await self.world.ask(user, item))[1]

    async def completed(self) -> tuple[str, str, str]:
        user, item, id = await self.debited()
        await self.world.deliver(*await self.world.published())
        return user, item, id

    async def run(self, statement: Any) -> None:
        async with self.world.database.write() as connection:
            await connection.execute(statement)


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    operations = PurchaseOperations(
        SqlOperatorStore(world.database, world.store._context, LegacySoldRows()), world.clock
    )
    failed_messages = FailedMessages(world.tables.own, world.clock)

    async def status() -> dict[str, object]:
        return {"open": await operations.counts()}

    messages = StoredFailedMessages(world.database, failed_messages)
    queues = AccountQueues(operations, OutboxRelay(world.database, world.outbox, MemoryBroker()).status, messages)
    app = internal.application(PlainTextResponse("public"), TOKEN, operations, messages, status, queues.shown)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://account", headers=headers) as http:
        yield Desk(world, operations, failed_messages, http)


async def test_nothing_is_told_without_the_credential(desk: Desk) -> None:
    for headers in ({"Authorization": "Bearer another"}, {"Authorization": ""}):
        for method, path in (("GET", "purchases"), ("GET", "audit"), ("POST", f"purchases/{new_id()}/cancel")):
            assert (await desk.http.request(method, f"/internal/{path}", headers=headers)).status_code == 401
    assert (await desk.http.get("/item")).text == "public"


async def test_purchases_are_listed_by_state_and_age_page_by_page(desk: Desk) -> None:
    ids = []
    for _ in range(3):
        ids.append((await desk.debited())[2])
        desk.world.clock.forward(60)
    await desk.world.deliver((await desk.world.published())[0])
    assert [one["id"] for one in (await desk.get("purchases"))["purchases"]] == ids
    assert [one["id"] for one in (await desk.get("purchases", state="DEBITED"))["purchases"]] == ids[1:]
    assert [one["id"] for one in (await desk.get("purchases", older_than_s=90))["purchases"]] == ids[:2]
    first = await desk.get("purchases", limit=2)
    rest = await desk.get("purchases", limit=2, after=first["next"])
    assert ([one["id"] for one in rest["purchases"]], rest["next"]) == (ids[2:], None)
    assert (await desk.get("status"))["open"] == {"DEBITED": 2, "CANCELLING": 0}


async def test_the_gateways_page_is_told_of_slow_purchases_the_outbox_and_failed_messages(desk: Desk) -> None:
    _, _, slow = await desk.debited()
    desk.world.clock.forward(61)
    await desk.debited()
    async with desk.world.database.write() as connection:
        failed = await desk.failed_messages.record(connection, "shop.replies", {"type": "odd.v1"}, b"{}", "unreadable")
    queues = {one.name: one for one in read((await desk.http.get("/internal/queues")).content)}
    purchases, messages = queues["open purchases"], queues["failed messages of shop.replies"]
    assert (purchases.waiting, purchases.oldest_s, [one.id for one in purchases.parked]) == (2, 61.0, [slow])
    assert sum(one.waiting for name, one in queues.items() if name.startswith("outbox")) == 2
    assert [(one.id, one.what, one.why) for one in messages.parked] == [(failed, "odd.v1", "unreadable")]
    status, said = await desk.post(purchases.actions[1].path.removeprefix("/internal/").replace("{id}", slow))
    assert (status, said["state"]) == (200, "CANCELLING")
    drop = messages.actions[1].path.removeprefix("/internal/").replace("{id}", failed)
    assert await desk.post(drop, {}) == (400, {"error": 'expected {"why": "a reason"}'})
    assert await desk.post(drop) == (200, {"count": 1})
    assert (await desk.post(drop))[0] == 404


async def test_an_action_wants_a_why_and_who_asks_is_an_operator_if_nobody_says_so(desk: Desk) -> None:
    _, _, id = await desk.debited()
    bodies: list[Any] = [{}, {"why": " "}, {"why": "x", "by": 7}, {"why": "x", "by": "a\0"}, []]
    for body in bodies:
        assert (await desk.post(f"purchases/{id}/cancel", body))[0] == 400
    assert (await desk.post(f"purchases/{id}/cancel", {"why": "x"}))[0] == 200
    assert [one["by"] for one in (await desk.get(f"purchases/{id}"))["interventions"]] == ["an operator"]


async def test_an_odd_question_is_refused(desk: Desk) -> None:
    for query in ({"limit": "0"}, {"limit": "x"}, {"older_than_s": "-1"}, {"state": "GONE"}):
        assert await desk.get("purchases", **query) == 400


async def test_a_timeline_tells_steps_ledger_and_what_operators_did(desk: Desk) -> None:
    _, _, id = await desk.debited()
    await desk.world.published()
    assert (await desk.post(f"purchases/{id}/resume"))[0] == 200
    again = await desk.world.published()
    assert [command.type for command in again] == [messages.DECREASE]
    await desk.world.deliver(*again)
    told = await desk.get(f"purchases/{id}")
    assert [step["step"] for step in told["steps"]][-1] == "completed"
    assert [(line["kind"], line["delta"], line["pointsAfter"]) for line in told["ledger"]] == [("debit", -10, 90)]
    assert [(one["action"], one["why"], one["by"]) for one in told["interventions"]] == [
        ("resumed", WHY["why"], "ada (127.0.0.1)")
    ]
    assert await desk.get(f"purchases/{new_id()}") == 404


async def test_a_cancelled_purchase_is_refunded_when_the_shop_has_agreed(desk: Desk) -> None:
    user, _, id = await desk.debited()
    await desk.world.published()
    assert (await desk.post(f"purchases/{id}/cancel"))[1]["state"] == PurchaseState.CANCELLING
    assert desk.world.points(user) == 90
    await desk.world.deliver(*await desk.world.published())
    assert ((await desk.world.purchase(id)).state, desk.world.points(user)) == (PurchaseState.REFUNDED, 100)


async def test_a_change_needs_a_reason_and_an_open_purchase(desk: Desk) -> None:
    _, _, id = await desk.debited()
    bodies: tuple[object, ...] = (None, {}, {"why": ""}, {"why": 1}, {"why": "\0"}, [])
    for body in bodies:
        assert (await desk.post(f"purchases/{id}/cancel", body))[0] == 400
    assert (await desk.world.purchase(id)).state is PurchaseState.DEBITED
    await desk.world.deliver(*await desk.world.published())
    for action in ("resume", "cancel"):
        assert (await desk.post(f"purchases/{id}/{action}"))[0] == 409
        assert (await desk.post(f"purchases/{new_id()}/{action}"))[0] == 404


async def test_a_charge_of_both_sides_is_found_and_the_later_one_refunded_once(desk: Desk) -> None:
    """The live monolith sold it while the purchase was open: two live rows, two charges."""
    user, item, id = await desk.completed()
    assert (await desk.post(f"purchases/{id}/refund"))[0] == 409  # there is one row
    desk.world.monolith.add_purchase(user, item)
    assert await desk.breaches() == [(BreachKind.CHARGED_TWICE, id)]
    answers = await asyncio.gather(*(desk.post(f"purchases/{id}/refund") for _ in range(2)), return_exceptions=True)
    assert sum(1 for one in answers if isinstance(one, tuple) and one[0] == 200) == 1
    assert (await desk.post(f"purchases/{id}/refund"))[0] == 409
    assert (desk.world.points(user), (await desk.world.purchase(id)).state) == (100, PurchaseState.COMPLETED)
    assert await desk.world.kinds(id) == [("charged_twice", 10), ("debit", -10)]
    assert await desk.breaches() == []


async def test_books_that_are_right_have_no_breach(desk: Desk) -> None:
    await desk.completed()
    user, item, id = await desk.completed()
    desk.world.monolith.change(transactions, id, deleted_at=desk.world.clock.now)  # removed since: as it should be
    gone, _, _ = await desk.completed()
    desk.world.monolith.delete_user(gone)
    desk.world.shop.stock[item] = 0
    await desk.world.ask(user, desk.world.shop.add(10, stock=0))
    await desk.world.deliver(*await desk.world.published())
    await desk.world.ask(user, desk.world.shop.add(1000))
    await desk.debited()
    assert await desk.breaches() == []


async def test_each_kind_of_breach_is_found(desk: Desk) -> None:
    world, ledger, purchases = desk.world, desk.world.tables.ledger, desk.world.tables.purchases
    _, _, lost = await desk.completed()
    await desk.run(delete(ledger).where(ledger.c.purchase_id == lost))
    _, _, rowless = await desk.completed()
    world.monolith.delete(transactions, rowless)
    _, _, kept = await desk.completed()
    await desk.run(update(purchases).where(purchases.c.id == kept).values(state="REFUNDED"))
    line = {"purchase_id": new_id(), "kind": "debit", "delta": -1, "points_after": 0, "at": world.clock.now}
    await desk.run(insert(ledger).values(line))
    _, _, open_one = await desk.debited()
    world.clock.forward(601)
    assert sorted(await desk.breaches()) == sorted(
        [
            (BreachKind.LEDGER_DIFFERS, lost),
            (BreachKind.COMPLETED_WITHOUT_ROW, rowless),
            (BreachKind.LEDGER_DIFFERS, kept),
            (BreachKind.ROW_OF_REFUNDED, kept),
            (BreachKind.LEDGER_WITHOUT_PURCHASE, line["purchase_id"]),
            (BreachKind.OPEN_TOO_LONG, open_one),
        ]
    )


async def test_parked_messages_are_shown_grouped_and_tried_again(desk: Desk) -> None:
    async with desk.world.database.write() as connection:
        id = await desk.failed_messages.record(
            connection, "account.purchases", {"id": new_id()}, b"{}", "not understood: so"
        )
    assert [one["id"] for one in (await desk.get("parked"))["parked"]] == [id]
    assert [one["count"] for one in (await desk.get("parked/groups"))["groups"]] == [1]
    assert (await desk.get(f"parked/{id}"))["body"] == "{}"
    assert await desk.post("parked/redrive", {"ids": [id], **WHY}) == (200, {"count": 1})
    async with desk.world.database.write() as connection:
        assert [
            one.id for one in await desk.failed_messages.due(connection, "account.purchases", timedelta(seconds=5))
        ] == [id]
