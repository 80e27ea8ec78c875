"""Messages of RabbitMQ that cannot be read, as operators meet them: parked in PostgreSQL with the reason."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.envelope import Envelope
from chassis.outbox.consumer import consume
from chassis.outbox.failed_messages.retry import RetryPolicy
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.service import failed_messages_api
from tests.ports.outbox.service import REVISIONS, SERVICE
from tests.support.connected import fresh_postgres, fresh_rabbit
from tests.support.messaging import JUST_THINGS, THINGS, TYPE, thing, until
from tests.unit.chassis.messaging.rabbit.raw_rabbit import properties, put, short
from tests.unit.chassis.messaging.rabbit.scene import Opened
from tests.unit.chassis.messaging.rabbit.test_unreadable import UNREADABLE

pytestmark = pytest.mark.connected
QUICK = RetryPolicy(look_s=0.02)


@dataclass
class Operated:
    """A service's tables, what its handler got, and its interface for operators."""

    database: Database
    failed_messages: FailedMessages = field(
        default_factory=lambda: FailedMessages(OwnTables(SERVICE, is_sqlite=False), lambda: datetime.now(UTC))
    )
    handled: list[Envelope] = field(default_factory=list)

    async def handle(self, envelope: Envelope) -> None:
        self.handled.append(envelope)

    async def ask(self, path: str, **body: object) -> Any:
        """A change where there is a body."""
        stored = StoredFailedMessages(self.database, self.failed_messages)
        app = Starlette(
            routes=[Route(at, do, methods=[method]) for method, at, do in failed_messages_api.routes(stored)]
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service/internal/") as client:
            answer = await (client.post(path, json=body) if body else client.get(path))
        return answer.raise_for_status().json()

    async def rows(self) -> list[Any]:
        return [await self.ask(f"parked/{row['id']}") for row in (await self.ask("parked"))["parked"]]


@pytest.fixture
async def operated() -> AsyncIterator[Operated]:
    url = fresh_postgres()
    await migrations.upgrade(url, SERVICE, REVISIONS)
    database = Database(url)
    yield Operated(database)
    await database.aclose()


async def test_each_is_shown_with_its_reason_and_what_lies_behind_it_is_handled(
    opened: Opened, operated: Operated
) -> None:
    url = fresh_rabbit()
    broker = opened(url)
    await broker.declare(JUST_THINGS)
    for number, raw in enumerate(UNREADABLE.values()):
        await put(url, THINGS.exchange, TYPE, raw.replace(b"raw-1", b"raw-%d" % number))
    await put(url, THINGS.dead, THINGS.dead, properties(message_id=short(b"dead\xff")))
    await broker.publish(THINGS.dead, dead := thing(), routing_key=THINGS.dead)
    await broker.publish(THINGS.exchange, sent := thing())

    async def are_parked() -> bool:
        return len(await operated.rows()) == len(UNREADABLE) + 2

    consumer = await consume(
        broker,
        THINGS.name,
        operated.handle,
        operated.database,
        operated.failed_messages,
        prefetch=1,
        retry_policy=QUICK,
    )
    await until(are_parked)
    assert operated.handled == [sent]
    rows = {row["messageId"]: row for row in await operated.rows()}
    assert rows[dead.id]["properties"].get("unreadable") is None
    assert rows["dead\\xff"]["properties"]["unreadable"] == "UnicodeDecodeError"
    unread = [
        row for row in rows.values() if row["reason"].startswith("not understood: the properties cannot be read (")
    ]
    assert len(unread) == len(UNREADABLE)
    assert {row["nextAttemptAt"] for row in unread} == {None}
    await consumer.stop()


async def test_driven_again_it_is_no_more_understood_than_before(opened: Opened, operated: Operated) -> None:
    url = fresh_rabbit()
    broker = opened(url)
    await broker.declare(JUST_THINGS)
    await put(url, THINGS.exchange, TYPE, UNREADABLE["what nobody here reads"])

    async def are_parked() -> bool:
        return [row["attempts"] for row in await operated.rows()] == [1]

    consumer = await consume(
        broker, THINGS.name, operated.handle, operated.database, operated.failed_messages, retry_policy=QUICK
    )
    await until(are_parked)
    (row,) = await operated.rows()
    assert await operated.ask("parked/redrive", ids=[row["id"]], why="a try") == {"count": 1}

    async def is_parked_again() -> bool:
        (now,) = await operated.rows()
        return bool(now["lastAt"] > row["lastAt"]) and now["nextAttemptAt"] is None

    await until(is_parked_again)
    assert [now["reason"] for now in await operated.rows()] == [row["reason"]]
    assert operated.handled == []
    await consumer.stop()
