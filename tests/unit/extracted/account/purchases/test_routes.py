"""POST /item/buy/{id} as the monolith answers it, and GET /purchases/{id}; the shop decides meanwhile, or does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.messaging.envelope import new_id
from chassis.store import StoreUnavailable
from examples.monolith.storage.tables import transactions
from extracted.account.api import application as api
from extracted.account.domain import Compat
from extracted.account.purchases import messages
from extracted.account.purchases.api import purchases
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.service.buy import PurchaseService
from extracted.account.purchases.service.buy_now import WITHIN_S, BuyNow
from extracted.account.purchases.service.queries import PurchaseQueries
from extracted.account.purchases.settlement_waiters import SettlementWaiters
from legacy_adapter.account.roles import LegacyRoles
from tests.unit.extracted.account.purchases.world import World

STORE_FAILED = {"statusCode": 500, "message": "Internal Server Error"}
TOO_POOR = {"statusCode": 403, "message": "Not enought points!", "error": "Forbidden"}
NOT_FOUND = {"statusCode": 404, "message": "Resource not found", "error": "Not Found"}


class NamedByToken:
    async def verify(self, token: bytes) -> Identity:
        name, _, role = token.decode().partition(" ")
        return Identity(AuthenticationOutcome.USER, name, (role or "guest",)) if name else NOBODY


@dataclass
class Front:
    """Account over HTTP, in this process."""

    world: World
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, user: str, role: str = "guest", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {user} {role}"}
        return await self.http.request(method, path, headers=headers, **more)

    async def buy(self, user: str, item: str, **more: Any) -> tuple[int, Any]:
        answer = await self.ask("POST", f"/item/buy/{item}", user, **more)
        return answer.status_code, answer.json()

    async def look(self, id: str, user: str, role: str = "guest") -> tuple[int, Any]:
        answer = await self.ask("GET", f"/purchases/{id}", user, role)
        return answer.status_code, answer.json().get("data")


@pytest.fixture
async def front(world: World) -> AsyncIterator[Front]:
    async with opened(world, WITHIN_S) as front:
        yield front


@asynccontextmanager
async def opened(world: World, within_s: float) -> AsyncIterator[Front]:
    store = world.database
    routes = purchases.routes(BuyNow(world.service, within_s), PurchaseQueries(world.store))
    app = api.application(routes, NamedByToken(), LegacyRoles(store), Compat.STRICT, production=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://account") as http:
        yield Front(world, http)


@asynccontextmanager
async def selling(world: World) -> AsyncIterator[None]:
    """Shop answers all the while."""

    async def sell() -> None:
        while True:
            await world.deliver(*await world.published())
            await asyncio.sleep(0.01)

    task = asyncio.create_task(sell())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def shown(world: World, item: str) -> dict[str, Any]:
    return {"metadata": {}, "data": world.shop.items[item].shown()}


async def test_a_guest_buys_an_item_once_however_often_it_asks(front: Front) -> None:
    world = front.world
    user, item = world.user(25), world.shop.add(10)
    async with selling(world):
        answers = [await front.buy(user, item), await front.buy(user, item), await front.buy(user, item, json={"x": 1})]
    assert answers == [(201, shown(world, item))] * 3
    assert world.points(user) == 15


async def test_calls_at_once_are_one_purchase(front: Front) -> None:
    world = front.world
    user, item = world.user(25), world.shop.add(10)
    async with selling(world):
        answers = await asyncio.gather(*(front.buy(user, item) for _ in range(5)))
    assert answers == [(201, shown(world, item))] * 5
    assert world.points(user) == 15


Before = Callable[[World, str, str], object]
ANSWERS: dict[str, tuple[Before, int, Any, int | None]] = {
    "bought through the monolith": (lambda world, user, item: world.monolith.add_purchase(user, item), 201, None, 100),
    "out of stock": (lambda world, user, item: world.shop.stock.update({item: 0}), 403, TOO_POOR, 100),
    "one point too few": (lambda world, user, item: world.monolith.add_points(user, -91), 403, TOO_POOR, 9),
    "withdrawn": (lambda world, user, item: world.shop.items.pop(item), 404, NOT_FOUND, 100),
    "a deleted user": (lambda world, user, item: world.monolith.delete_user(user), 404, NOT_FOUND, None),
    "the shop is away": (lambda world, user, item: setattr(world.shop, "is_away", True), 500, STORE_FAILED, 100),
}


@pytest.mark.parametrize(("before", "status", "body", "points"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer(front: Front, before: Before, status: int, body: Any, points: int | None) -> None:
    world = front.world
    user, item = world.user(100), world.shop.add(10)
    wanted = (status, body or shown(world, item))
    before(world, user, item)
    async with selling(world):
        assert await front.buy(user, item) == wanted
    assert points is None or world.points(user) == points


async def test_an_outbox_that_does_not_get_away_is_the_monoliths_500_before_the_debit(front: Front) -> None:
    world = front.world
    user, item = world.user(100), world.shop.add(10)
    await world.ask(world.user(), item)
    world.clock.forward(2.1)
    assert await front.buy(user, item) == (500, STORE_FAILED)
    assert world.points(user) == 100


@pytest.mark.parametrize("spelled", ["abc", "%00", "1", "@me", "11111111-1111-4111-8111-11111111111g"])
async def test_what_is_no_uuid_is_a_500_as_in_postgresql(front: Front, spelled: str) -> None:
    assert await front.buy(front.world.user(), spelled) == (500, STORE_FAILED)


async def test_an_id_is_compared_as_spelled(front: Front) -> None:
    item = front.world.shop.add(10)
    assert await front.buy(front.world.user(), item.replace("-", "")) == (404, NOT_FOUND)


async def test_time_up_after_the_debit_is_a_500_and_the_purchase_goes_on(front: Front) -> None:
    world = front.world
    user, item = world.user(25), world.shop.add(10)
    async with opened(world, 0.1) as impatient:
        assert await impatient.buy(user, item) == (500, STORE_FAILED)
    (purchase,) = await world.purchases()
    status, data = await front.look(purchase.id, user)
    assert (status, data["state"], world.points(user)) == (200, PurchaseState.DEBITED, 15)
    async with selling(world):
        assert await front.buy(user, item) == (201, shown(world, item))  # the repeat joins it
    assert (world.points(user), len(await world.purchases())) == (15, 1)


async def test_an_outcome_that_another_process_has_written_is_found(front: Front) -> None:
    world = front.world
    elsewhere = PurchaseService(world.store, world.shop, world.clock, SettlementWaiters())
    user, item = world.user(25), world.shop.add(10)
    call = asyncio.create_task(front.buy(user, item))
    while not (commands := await world.published()):
        await asyncio.sleep(0.01)
    await elsewhere.settle(messages.shop_decision(world.shop.handle(commands[0])))
    assert await call == (201, shown(world, item))


async def test_a_store_that_is_away_is_the_monoliths_500(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(front.world.store, "read", away)
    assert await front.buy(front.world.user(), front.world.shop.add()) == (500, STORE_FAILED)


async def test_a_purchase_is_shown_with_its_steps(front: Front) -> None:
    world = front.world
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    world.clock.forward(1.5)
    commands = await world.published()
    world.clock.forward(6)
    await world.saga_timeouts.check_due()
    await world.deliver(*commands)
    status, data = await front.look(message, user)
    assert status == 200
    assert (data["id"], data["itemId"], data["state"], data["reason"]) == (message, item, "COMPLETED", None)
    assert [step["step"] for step in data["steps"]][:: len(data["steps"]) - 1] == ["debited", "completed"]
    assert data["times"] == {"created": "2026-01-01T00:00:00.000Z", "settled": "2026-01-01T00:00:07.500Z"}
    assert list(data) == ["id", "itemId", "state", "reason", "steps", "times"]


async def test_a_request_is_found_by_its_message_and_leads_to_the_purchase_that_it_joined(front: Front) -> None:
    world = front.world
    user, item = world.user(), world.shop.add(10)
    _, first = await world.ask(user, item)
    _, second = await world.ask(user, item)
    assert [(await front.look(id, user))[1]["id"] for id in (first, second)] == [first, first]


async def test_a_request_without_a_purchase_is_shown_as_what_it_came_to(front: Front) -> None:
    world = front.world
    user, item = world.user(), world.shop.add(10)
    world.monolith.add_purchase(user, item)
    (_, owned), (_, unknown) = await world.ask(user, item), await world.ask(user, new_id())
    (_, first), (_, second) = await front.look(owned, user), await front.look(unknown, user)
    assert (first["id"], first["state"], first["reason"]) == (owned, "ALREADY_OWNED", "already_owned")
    assert (second["id"], second["state"], second["reason"]) == (unknown, "REJECTED", "unknown_item")


async def test_a_purchase_is_shown_to_its_user_and_to_administrators_alone(front: Front) -> None:
    world = front.world
    user, item = world.user(), world.shop.add(10)
    _, message = await world.ask(user, item)
    assert (await front.look(message, world.user(), "admin"))[0] == 200
    anothers = await front.ask("GET", f"/purchases/{message}", world.user(), "user")
    unknown = await front.ask("GET", f"/purchases/{new_id()}", user)
    odd = await front.ask("GET", "/purchases/%00", user)
    for answer in (anothers, unknown, odd):
        assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (404, NOT_FOUND, "1")


async def test_a_purchase_whose_row_was_removed_is_bought_again(front: Front) -> None:
    world = front.world
    user, item = world.user(25), world.shop.add(10)
    async with selling(world):
        await front.buy(user, item)
        (purchase,) = await world.purchases()
        world.monolith.delete(transactions, purchase.id)
        assert (await front.buy(user, item))[0] == 201
    assert world.points(user) == 5
    _, data = await front.look(purchase.id, user)
    assert [step["step"] for step in data["steps"]][-1] == "revoked"
