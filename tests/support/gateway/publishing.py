"""A gateway whose route /orders becomes a message, and the warehouse that takes it from its queue."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO

import httpx

from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.port import Broker, Delivery
from chassis.messaging.topology import Queue, Topology
from strangler_gateway.config.file import load
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.server.sweeper import sweep_for_ever
from strangler_gateway.server.uvicorn_server import public_server
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.request_traces import RequestTraces
from tests.support.gateway.exchanges import signer
from tests.unit.chassis.auth.forged import hmac_signed

SECRET = b"a shared secret that is long enough"
ARTICLE = "5f0c64e1-9b1d-4a57-8f3e-2d1c0b9a8e7f"
QUEUE = "warehouse.orders"
TOPOLOGY = Topology(
    {"orders": ("gateway",), "gateway.replies": ("warehouse",)},
    (Queue(QUEUE, "warehouse", "orders", ("order.requested.v1",), max_length=50),),
)
ROUTES = """
version: 1
identity: {jwt: {key_env: TEST_KEY, algorithms: [HS256], roles: $.roles}}
errors:
  default: {content_type: application/problem+json, body: '{"status":{status},"detail":"{message}"}'}
services:
  monolith: {url: "http://127.0.0.1:${MONOLITH_PORT}"}
groups:
  orders: {state: "${STATE:-extracted}", share: 50, salt: s, serialize: user}
routes:
  - id: order-place
    group: orders
    match: {methods: [POST], path: "/orders"}
    legacy: monolith
    new: true
    max_body: 2KiB
    publish:
      exchange: orders
      type: order.requested.v1
      body:
        articleId: {type: string, format: uuid}
        count: {type: integer, required: false}
        note: {type: string, max_length: 20, required: false}
      queue: warehouse.orders
      replies: gateway.replies
      wait_s: ${WAIT_S:-20}
      confirm_s: ${CONFIRM_S:-20}
      location: "/orders/{message_id}"
      outcomes:
        accepted: {status: 204, location: "/orders/{orderId}"}
        listed: {status: 201, body: '{"order":"{orderId}","message":"{message_id}"}'}
        too_expensive: {status: 403, message: "Not enough money."}
        conflict: {status: 409, message: "Another body has this key."}
        unavailable: {status: 503, retry_after_s: 7}
      headers: {Access-Control-Allow-Origin: "*"}
    auth: {require: {roles: [buyer]}, enforce: gateway}
  - id: loose
    match: {methods: [POST], path: "/loose"}
    legacy: monolith
    state: extracted
    publish:
      exchange: nowhere
      type: order.requested.v1
      body: {more: {type: object}}
      replies: gateway.replies
      outcomes: {accepted: {status: 204}}
    auth: {require: authenticated, enforce: gateway}
  - {id: everything-else, match: {path: "/{rest...}"}, legacy: monolith}
"""

PUBLISHING = """
version: 1
services: {m: {url: "http://m:1"}, s: {url: "http://s:1"}}
groups: {g: {state: legacy}}
routes:
  - {id: read, group: g, match: {methods: [GET], path: /a}, legacy: m, extracted: s, new: true}
  - id: place
    group: g
    match: {methods: [POST], path: /a}
    legacy: m
    publish: {exchange: e, type: a.b.v1, replies: r, outcomes: {accepted: {status: 204}}}
    auth: {require: authenticated, enforce: gateway}
  - {id: rest, match: {path: "/{rest...}"}, legacy: m}
"""
"""A group of two new ends, each of its kind."""


def bearer(user: str = "ada", *roles: str) -> dict[str, str]:
    """The field that says who asks; a buyer unless told otherwise. It outlives every run of the tests."""
    claims = {"sub": user, "roles": [*(roles or ("buyer",))], "exp": int(time.time()) + 24 * 3600}
    return {"Authorization": f"Bearer {hmac_signed(claims, SECRET).decode()}"}


@dataclass
class Warehouse:
    """Takes each message once, repeats its answer, and answers the same id with another body by `conflict`.

    `word`: its outcome; None: it never answers. `held`: it answers when that is set.
    """

    broker: Broker
    word: str | None = "accepted"
    order: str | None = "o-1"
    held: asyncio.Event | None = None
    taken: list[Envelope] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    echoes: bool = True

    async def open(self) -> "Warehouse":
        await self.broker.declare(TOPOLOGY)
        await self.broker.consume(QUEUE, self.handle)
        return self

    async def handle(self, delivery: Delivery) -> None:
        asked = delivery.envelope()
        known = next((one.body for one in self.taken if one.id == asked.id), asked.body)
        self.taken.append(asked)
        self.news.set()
        if self.held is not None:
            await self.held.wait()
        if self.word is not None:
            await self.reply(asked, self.word if known == asked.body else "conflict")

    async def reply(self, asked: Envelope, word: object, **more: object) -> None:
        """As the consumer of a route does."""
        body = {"outcome": word, **({"orderId": self.order} if self.order else {}), **more}
        request_id = asked.request_id if self.echoes else None
        reply = Envelope(
            new_id(), "order.reply.v1", body, datetime.now(UTC), causation_id=asked.id, request_id=request_id
        )
        await self.broker.publish("gateway.replies", reply, routing_key=asked.reply_to, persistent=False, expires_s=10)

    async def took(self, count: int) -> list[Envelope]:
        """Waits for so many deliveries."""
        async with asyncio.timeout(60):
            while len(self.taken) < count:
                self.news.clear()
                await self.news.wait()
        return self.taken


def gateway_on(
    broker: Broker | None,
    port: int = 1,
    *,
    max_waiting: int = 10,
    debug_token: str = "",
    traces: RequestTraces | None = None,
    **environ: str,
) -> Gateway:
    """A gateway of ROUTES."""
    table = load(ROUTES, {"MONOLITH_PORT": str(port), **environ})
    publishing = Publishing(broker, max_waiting=max_waiting)
    outside = Outside(AccessLog(BytesIO()), signer(), publishing=publishing, traces=traces)
    said = {"debug_token": debug_token} if debug_token else {}
    return Gateway(Settings.model_validate(said), table, outside)


@asynccontextmanager
async def served(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """On its own server."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = public_server(gateway.front)
        running = asyncio.create_task(server.serve([bound]))
        sweeping = asyncio.create_task(sweep_for_ever(server, gateway.settings, gateway.front.now))
        await server.up.wait()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            yield client
        server.should_exit = True
        await running
        sweeping.cancel()
    await gateway.aclose()
    await gateway.outside.publishing.aclose()
