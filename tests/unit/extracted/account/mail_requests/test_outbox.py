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


@pytest.mark.parametrize(("sent", "told"), [([TRACE], TRACE), ([], None), (["00-odd"], None), ([TRACE, TRACE], None)])
async def test_a_mail_names_the_request_that_asked_for_it_and_its_trace(sent: list[str], told: str | None) -> None:
    outbox = Kept()
    mail_requests = MailRequestOutbox(outbox, now)
    transport = httpx.ASGITransport(served(mail_requests))
    async with httpx.AsyncClient(transport=transport, base_url="http://account") as client:
        for request_id in ("r-1", "r-2"):
            await client.post("/", headers=[("X-Request-Id", request_id), *(("Traceparent", one) for one in sent)])
    await mail_requests.put(NOWHERE, MAIL)  # by no request
    told_of = [(envelope.request_id, envelope.traceparent) for envelope in outbox.envelopes]
    assert told_of == [("r-1", told), ("r-2", told), (None, None)]
