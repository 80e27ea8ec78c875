"""A request for mail says of which request it is, so that logs of both sides can be laid side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from chassis.database.own_tables import OwnTables
from chassis.database.prepared import AnyConnection
from chassis.messaging.envelope import Envelope
from chassis.outbox.outbox import Outbox
from chassis.service import web
from extracted.account.mail_requests.domain import MailRequest
from extracted.account.mail_requests.outbox import MailRequestOutbox

MAIL = MailRequest("verify_account", "ada@example.org", "en", {"username": "ada", "token": "t"})
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOWHERE = cast(AsyncConnection, None)


def now() -> datetime:
    return datetime.now(UTC)


class Kept(Outbox):
    """Keeps what is put, in memory."""

    def __init__(self) -> None:
        super().__init__(OwnTables("account", is_sqlite=True), now)
        self.envelopes: list[Envelope] = []

    async def put(self, connection: AnyConnection, exchange: str, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


def served(posting: MailRequestOutbox) -> Starlette:
    """A service of which each request asks for a mail."""

    async def post(scope: Scope, receive: Receive, send: Send) -> None:
        await posting.put(NOWHERE, MAIL)
        await PlainTextResponse("asked")(scope, receive, send)

    async def ready() -> None: ...

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield

    return web.application(post, failure=PlainTextResponse("odd", 500), ready=ready, lifespan=lifespan)


async def test_a_mail_names_the_request_that_asked_for_it() -> None:
    outbox = Kept()
    app = served(MailRequestOutbox(outbox, now))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://account") as client:
        for request_id in ("r-1", "r-2"):
            await client.post("/", headers={"X-Request-Id": request_id})
    assert [envelope.request_id for envelope in outbox.envelopes] == ["r-1", "r-2"]


@pytest.mark.parametrize(("sent", "told"), [([TRACE], TRACE), ([], None), (["00-odd"], None), ([TRACE, TRACE], None)])
async def test_a_mail_belongs_to_the_trace_of_that_request(sent: list[str], told: str | None) -> None:
    outbox = Kept()
    transport = httpx.ASGITransport(served(MailRequestOutbox(outbox, now)))
    async with httpx.AsyncClient(transport=transport, base_url="http://account") as client:
        await client.post("/", headers=[("Traceparent", one) for one in sent])
    assert [envelope.traceparent for envelope in outbox.envelopes] == [told]


async def test_without_a_request_it_names_none() -> None:
    outbox = Kept()
    await MailRequestOutbox(outbox, now).put(NOWHERE, MAIL)
    assert [(envelope.request_id, envelope.traceparent) for envelope in outbox.envelopes] == [(None, None)]
