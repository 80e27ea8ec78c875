"""Account and Shop as processes, with a broker between them: the recorded purchases, and the way over the queue."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg import sql

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.database import migrations
from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, Delivery
from examples.monolith.storage import tables
from extracted.account.purchases import messages
from tests.recordings.replay import load
from tests.support.connected import POSTGRES_URL, fresh_name, fresh_rabbit
from tests.support.monolith_file import MonolithData
from tests.support.stores import on_real_parts, on_sqlite
from tests.unit.extracted.account.test_process import run
from tests.unit.extracted.running import ROOT, Answer, Gateway, RunningService, ask, running_service

pytestmark = pytest.mark.walk

TOKEN = secrets.token_urlsafe()
TRANSITIONS = {step.name: step for step in load(ROOT / "tests" / "recordings" / "production.jsonl")}
SETTLES_WITHIN_S = 15
PER_CONNECTION = {"date", "connection", "keep-alive"}
U1, GUEST = "cc398a7c-0fe4-406c-8ef5-4552b5d82a21", "e44adca0-47d9-49d0-abd9-5e771ad3676b"
HINT, FREE, DEAR = (
    "cf9bff9c-3143-46ff-8cc0-b9f14076f364",
    "1bcdb4bf-f98d-4d3a-91e3-c66e6ff7088b",
    "01dd54aa-890a-4696-9186-68fa555d9757",
)
RECORDED = {
    "buy": U1,
    "buy-again": U1,
    "buy-with-body": U1,
    "buy-unknown": U1,
    "buy-nonuuid": U1,
    "buy-free-guest": GUEST,
    "buy-too-poor": U1,
}


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


PARTS = (
    pytest.param(lambda folder: (on_sqlite(folder), f"sqlite:///{folder / 'broker.sqlite3'}"), id="embedded"),
    pytest.param(lambda folder: (on_real_parts(folder), fresh_rabbit()), id="real parts", marks=pytest.mark.connected),
)


@pytest.fixture(scope="module", params=PARTS)
def shopping(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gateway: Gateway
) -> Iterator[Shopping]:
    stores, broker_url = request.param(tmp_path_factory.mktemp("shopping"))
    monolith = MonolithData(stores)
    for service in ("account", "shop"):
        folder = ROOT / "extracted" / service / "migrations"
        asyncio.run(migrations.upgrade(monolith.url, service, folder))
    documents = {"DOCUMENTS_URL": stores.documents_url} if stores.documents_url else {}
    with running_service(
        "shop", monolith.url, gateway, BROKER_URL=broker_url, INTERNAL_TOKEN=TOKEN, **documents
    ) as shop:
        to_shop = {"SHOP_URL": f"http://127.0.0.1:{shop.port}", "SHOP_TOKEN": TOKEN}
        with running_service("account", monolith.url, gateway, BROKER_URL=broker_url, **to_shop) as account:
            yield Shopping(monolith, account, broker_url)
    monolith.close()


@pytest.fixture(scope="module")
def recorded(shopping: Shopping) -> dict[str, Answer]:
    """The steps in their order."""
    monolith = shopping.monolith
    monolith.add_user("guest", "user", user_id=U1, points=100)
    monolith.add_user("guest", user_id=GUEST)
    monolith.add_item(HINT, cost=12, data={"text": "new hhrcgx"})
    monolith.add_item(FREE, cost=0, data={"text": ""})
    monolith.add_item(DEAR, cost=100000, data={"text": "hint hhrcgx"})
    answers = {}
    for name, user in RECORDED.items():
        step = TRANSITIONS[name]
        headers = {name: value for name, value in step.request.headers if name != "Authorization"}
        body = step.request.body.encode() or None
        answers[name] = shopping.ask(step.method, step.target, user, headers=headers, body=body)
    return answers


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_purchase_is_answered_as_the_monolith_answered(recorded: dict[str, Answer], name: str) -> None:
    answer, wanted = recorded[name], TRANSITIONS[name].response
    assert (answer.status, answer.body.decode()) == (wanted.status, wanted.body)
    assert lasting(answer.headers) == lasting({name.lower(): value for name, value in wanted.headers})


def test_the_recorded_purchases_cost_what_they_cost(shopping: Shopping, recorded: dict[str, Answer]) -> None:
    assert (shopping.points(U1), shopping.points(GUEST)) == (88, 0)
    bought = {(row["user_id"], row["Object_id"]) for row in shopping.monolith.rows(tables.transactions)}
    assert bought >= {(U1, HINT), (GUEST, FREE)}


def lasting(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in PER_CONNECTION}


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
    deadline = monotonic() + SETTLES_WITHIN_S
    while not any(line.get("event") == "message_parked" for line in shopping.account.logged()):
        assert monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_many_purchases_at_once(shopping: Shopping, queue: GatewayQueue) -> None:
    users = [shopping.monolith.add_user("user", points=10) for _ in range(15)]
    items = [shopping.monolith.add_item(cost=10) for _ in range(2)]
    asked = await asyncio.gather(*(queue.ask(user, itemId=item) for user in users for item in items))
    outcomes = sorted(reply["outcome"] for _, reply in asked)
    assert outcomes == ["accepted"] * len(users) + ["insufficient_points"] * len(users)
    for (id, reply), user in zip(asked, [user for user in users for _ in items], strict=True):
        wanted = "COMPLETED" if reply["outcome"] == "accepted" else "REJECTED"
        assert (await settled(shopping, id, user))["state"] == wanted
    assert {shopping.points(user) for user in users} == {0}


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
