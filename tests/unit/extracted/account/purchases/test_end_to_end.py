"""Account and Shop as processes with a broker between them: the way over the queue, and what stops a start."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg import sql

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, Delivery
from examples.monolith.storage import tables
from extracted.account.purchases import messages
from tests.support.connected import POSTGRES_URL, fresh_name
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import on_sqlite
from tests.support.system.waiting import until
from tests.unit.extracted.account.conftest import PARTS
from tests.unit.extracted.account.test_process import run
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service
from tests.unit.extracted.services import TOKEN, running_services

pytestmark = pytest.mark.walk

SETTLES_WITHIN_S = 60


@dataclass(frozen=True)
class Shopping:
    """Both services over one database, and a broker of the test's own as the gateway has one."""

    monolith: MonolithData
    account: RunningService
    broker_url: str

    def ask(self, method: str, target: str, user: str, **more: Any) -> Answer:
        return self.account.ask(target, Identity(AuthenticationOutcome.USER, user, ("guest",)), method=method, **more)

    def points(self, user: str) -> int:
        return next(int(row["points"]) for row in self.monolith.rows(tables.users) if row["id"] == user)


@pytest.fixture(scope="module", params=PARTS)
def shopping(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gateway: Gateway
) -> Iterator[Shopping]:
    stores, broker_url = request.param(tmp_path_factory.mktemp("shopping"))
    monolith = MonolithData(stores)
    with ExitStack() as stack:
        yield Shopping(monolith, running_services(stack, stores, broker_url, gateway)["account"], broker_url)
    monolith.close()


class GatewayQueue:
    """What the gateway does: publishes requests, and waits for replies."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.key = ""
        self.replies: dict[str, asyncio.Future[Envelope]] = {}

    async def open(self) -> None:
        self.key = await self.broker.replies("gateway.replies", self.replied)

    async def replied(self, delivery: Delivery) -> None:
        reply = delivery.envelope()
        waiting = self.replies.get(reply.causation_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    async def ask(self, user: str, message_id: str | None = None, **body: object) -> tuple[str, Any]:
        """The message's id, and the body of the reply."""
        message_id = message_id or new_id()
        self.replies[message_id] = asyncio.get_running_loop().create_future()
        request = Envelope(message_id, messages.REQUESTED, body, datetime.now(UTC), subject=user, reply_to=self.key)
        await self.broker.publish("purchases", request)
        async with asyncio.timeout(SETTLES_WITHIN_S):
            return message_id, (await self.replies[message_id]).body


@pytest.fixture
async def queue(shopping: Shopping) -> AsyncIterator[GatewayQueue]:
    broker = open_broker(shopping.broker_url, "gateway")
    queue = GatewayQueue(broker)
    await queue.open()
    yield queue
    await broker.aclose()


async def settled(shopping: Shopping, id: str, user: str) -> Any:
    """What GET /purchases/{id} shows in the end."""
    deadline = monotonic() + SETTLES_WITHIN_S
    while True:
        answer = await asyncio.to_thread(shopping.ask, "GET", f"/purchases/{id}", user)
        data = json.loads(answer.body).get("data", {})
        if data.get("state") not in (None, "DEBITED", "CANCELLING"):
            return data
        assert monotonic() < deadline, (answer.status, answer.body)
        await asyncio.sleep(0.05)


async def test_a_purchase_over_the_queue(shopping: Shopping, queue: GatewayQueue) -> None:
    user, item = shopping.monolith.add_user("user", points=30), shopping.monolith.add_item(cost=10)
    id, reply = await queue.ask(user, itemId=item)
    assert reply == {"outcome": "accepted", "purchaseId": id}
    assert (await settled(shopping, id, user))["state"] == "COMPLETED"
    again, reply = await queue.ask(user, itemId=item)
    assert reply == {"outcome": "already_owned", "purchaseId": id}
    assert await queue.ask(user, again, itemId=item) == (again, reply)
    assert shopping.points(user) == 20
    (row,) = [row for row in shopping.monolith.rows(tables.transactions) if row["user_id"] == user]
    assert (row["id"], row["Object_id"]) == (id, item)


async def test_outcomes_over_the_queue(shopping: Shopping, queue: GatewayQueue) -> None:
    monolith = shopping.monolith
    poor, user, gone = (monolith.add_user("user", points=points) for points in (9, 100, 100))
    item, other = monolith.add_item(cost=10), monolith.add_item(cost=10)
    monolith.add_purchase(user, other)
    monolith.delete_user(gone)
    outcomes = [
        (await queue.ask(who, itemId=what))[1]["outcome"]
        for who, what in ((poor, item), (user, new_id()), (user, "abc"), (user, other), (gone, item))
    ]
    assert outcomes == ["insufficient_points", "unknown_item", "unknown_item", "already_owned", "user_deleted"]
    message, _ = await queue.ask(user, itemId=item)
    assert (await queue.ask(user, message, itemId=other))[1]["outcome"] == "conflict"


async def test_a_message_with_a_field_more_is_understood_and_one_with_a_field_less_is_parked(
    shopping: Shopping, queue: GatewayQueue
) -> None:
    user, item = shopping.monolith.add_user("user", points=30), shopping.monolith.add_item(cost=10)
    broken = Envelope(new_id(), messages.REQUESTED, {"item": item}, datetime.now(UTC), subject=user)
    await queue.broker.publish("purchases", broken)
    _, reply = await queue.ask(user, itemId=item, colour="blue")
    assert reply["outcome"] == "accepted"
    until(lambda: any(line.get("event") == "message_parked" for line in shopping.account.logged()), "a parked message")


def test_it_does_not_start_on_tables_that_are_behind(tmp_path: Path, gateway: Gateway) -> None:
    monolith = MonolithData(on_sqlite(tmp_path))
    own = {
        "ACCOUNT_DATABASE_URL": monolith.url,
        "ACCOUNT_JWKS_URL": gateway.jwks_url,
        "ACCOUNT_BROKER_URL": f"sqlite:///{tmp_path / 'broker.sqlite3'}",
        "ACCOUNT_SHOP_URL": "http://127.0.0.1:1",
        "ACCOUNT_SHOP_TOKEN": TOKEN,
    }
    ended = run("--port", "0", **own)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "python -m extracted.account migrate" in ended.stderr
    assert run("migrate", **own).returncode == 0
    monolith.close()


@pytest.mark.parametrize("missing", ["BROKER_URL", "SHOP_URL", "SHOP_TOKEN"])
def test_what_buying_needs_is_given_together(missing: str, tmp_path: Path) -> None:
    given = {"BROKER_URL": f"sqlite:///{tmp_path / 'b'}", "SHOP_URL": "http://shop", "SHOP_TOKEN": TOKEN}
    own = {"DATABASE_URL": f"sqlite:///{tmp_path / 'd'}", "JWKS_URL": "http://gateway/keys"} | given
    del own[missing]
    ended = run(**{f"ACCOUNT_{name}": value for name, value in own.items()})
    assert (ended.returncode, "together" in ended.stderr, TOKEN in ended.stderr) == (2, True, False)


def test_without_a_broker_nothing_can_be_bought_and_the_rest_works(tmp_path: Path, gateway: Gateway) -> None:
    monolith = MonolithData(on_sqlite(tmp_path))
    user, item = monolith.add_user("user", points=10), monolith.add_item(cost=1)
    with running_service("account", monolith.url, gateway) as account:
        identity = Identity(AuthenticationOutcome.USER, user, ("user",))
        assert account.ask(f"/item/buy/{item}", identity, method="POST").status == 404
        assert account.ask(f"/purchases/{uuid.uuid4()}", NOBODY).status == 404
        assert account.ask("/user/@me", identity).status == 200
    monolith.close()


@pytest.mark.connected
def test_a_database_that_comes_late_and_without_the_tables_ends_the_process(tmp_path: Path, gateway: Gateway) -> None:
    """It could debit, and never send what it owes."""
    name = fresh_name()
    url = f"{POSTGRES_URL.rpartition('/')[0]}/{name}"
    own = {"SHOP_URL": "http://127.0.0.1:1", "SHOP_TOKEN": TOKEN, "BROKER_URL": f"sqlite:///{tmp_path / 'broker'}"}
    with running_service("account", url, gateway, **own) as account:
        assert ask(account.port, "/health/ready", "GET", {}).status == 503
        with psycopg.connect(POSTGRES_URL, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        account.process.wait(SETTLES_WITHIN_S)
        assert any(line.get("event") == "task_ended" for line in account.logged())
