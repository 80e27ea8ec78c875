"""Sending an exchange to its side: what both lanes share, and the ASGI lane's own relay."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from strangler_gateway.exchange.errors import ClientGone, UpstreamError
from strangler_gateway.exchange.exchange import Decision, Exchange
from strangler_gateway.http import chunked
from strangler_gateway.http.fields import Pairs, allowed_trailers
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.upstream.awaitable_call import AsyncCall
from strangler_gateway.upstream.call import TUNNEL_END_S, Call, Sink
from strangler_gateway.upstream.heads_back import response_fields, response_lines, told_decision
from strangler_gateway.upstream.heads_out import request_head
from strangler_gateway.upstream.retry import SAFE

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

_FAILED_OVER = Decision(Side.LEGACY, "failover")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def open_call(gateway: "Gateway", x: Exchange, sink: Sink) -> Call:
    """Starts the call of an exchange to the side that was decided."""
    assert x.decision is not None
    head = request_head(x, x.service, x.decision.side, gateway.via)
    complete, upgrade = x.head.length == 0, x.head.websocket
    return gateway.upstreams.pool(x.service).send(sink, x.method, x.target, head, complete=complete, upgrade=upgrade)


def fail_over(gateway: "Gateway", x: Exchange, error: UpstreamError) -> bool:
    """In canary a safe request that the service did not answer goes to legacy instead; counted; a write never does."""
    decision = x.decision
    if decision is None or decision.side is Side.LEGACY or x.route.movable.state is not MigrationState.CANARY:
        return False
    if x.method not in SAFE or x.head.length != 0 or error.stage == "body" or x.head.websocket:
        return False
    gateway.stats.route(x.route.id).failovers += 1
    x.decision, x.service = _FAILED_OVER, x.route.legacy
    return True


def client_fields(gateway: "Gateway", x: Exchange, head: ResponseHead) -> Pairs:
    """The fields for the client."""
    return [*response_fields(x, head, x.service, _trailers(x, head)), *_added(gateway, x, head)]


def client_lines(gateway: "Gateway", x: Exchange, head: ResponseHead) -> bytes:
    """The same as lines."""
    lines = head.passed
    if lines is None or x.extra_fields:
        lines = response_lines(x, head, x.service, _trailers(x, head))
    if head.dated and not head.connection and not x.debug:
        return lines
    return lines + b"".join([b"%b: %b\r\n" % pair for pair in _added(gateway, x, head)])


def _trailers(x: Exchange, head: ResponseHead) -> bool:
    return x.head.te_trailers and head.length == -1


def _added(gateway: "Gateway", x: Exchange, head: ResponseHead) -> Pairs:
    """What the gateway adds: a Date where the upstream left it out (RFC 9110 §6.6.1), the decision for debugging."""
    dated = head.dated and b"date" not in head.connection
    return [*([] if dated else [(b"Date", gateway.http_date())]), *told_decision(x)]


def request_piece(x: Exchange, data: bytes) -> bytes:
    """A piece of the request body, framed as the head says."""
    return data if x.head.length is not None else chunked.encode(data)


def request_end(x: Exchange, trailers: Pairs) -> bytes:
    """What ends the request body on the wire."""
    return (
        b""
        if x.head.length is not None
        else chunked.last(allowed_trailers(trailers, x.head.connection, x.table.identity_headers))
    )


async def relay(gateway: "Gateway", x: Exchange, receive: Receive, send: Send) -> None:
    """The ASGI lane: relays request and response by messages. Raises UpstreamError, ClientGone."""
    sink = AsyncCall(x.inform)
    sink.call = open_call(gateway, x, sink)
    # Our own server tells by cancelling that the client has gone; another one only answers `receive`.
    listens = x.head.length != 0 or x.head.websocket or x.inform is None
    pump = asyncio.create_task(_pump(x, sink, receive)) if listens else None
    try:
        response = await _head(gateway, x, sink)
        await _answer(gateway, x, sink, response, send)
    except OSError as exc:
        if x.tunnel and pump is not None:
            # What the client sent before it left still goes out.
            await asyncio.wait({pump}, timeout=TUNNEL_END_S)
        raise ClientGone from exc
    finally:
        sink.close()
        if pump is not None:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)


async def _head(gateway: "Gateway", x: Exchange, sink: AsyncCall) -> ResponseHead:
    """The head, of the side that answers in the end; one sink for both calls: the pump may be listening for it."""
    try:
        return await sink.head()
    except UpstreamError as error:
        if not fail_over(gateway, x, error):
            raise
    sink.call = open_call(gateway, x, sink)
    return await sink.head()


async def _pump(x: Exchange, sink: AsyncCall, receive: Receive) -> None:
    """Hands the request body over, as fast as the upstream takes it; then waits for the client to leave."""
    call = sink.call
    assert call is not None
    while True:
        message = await receive()
        if message["type"] != "http.request":
            sink.leave()
            return
        if message.get("body"):
            if x.tap is not None:
                x.tap.request_body(message["body"])
            call.write(request_piece(x, message["body"]) if not x.tunnel else message["body"])
            await sink.writable.wait()
        if not message.get("more_body", False) and not call.complete:
            call.complete = True
            if x.tap is not None:
                x.tap.request_end()
            if end := request_end(x, message.get("trailers", [])):
                call.write(end)


async def _answer(gateway: "Gateway", x: Exchange, sink: AsyncCall, response: ResponseHead, send: Send) -> None:
    x.tunnel = response.status == 101
    fields, tap = client_fields(gateway, x, response), x.tap
    if tap is not None:
        tap.head(response.status, fields)
    trailers = x.head.te_trailers and response.length == -1
    x.status = response.status
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": fields,
            "reason": response.reason,
            "length": response.length,
            "trailers": trailers,
        }
    )
    if sink.empty:
        # The head leaves now; it waits only for a body that came in the same read.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
    piece = await sink.body()
    while piece is not None:
        if tap is not None:
            tap.body(piece)
        if sink.ending:
            break
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        piece = await sink.body()
    if tap is not None:
        tap.done()
    await send({"type": "http.response.body", "body": piece or b"", "more_body": False})
    if trailers:
        passed = allowed_trailers(sink.trailers, response.connection)
        await send({"type": "http.response.trailers", "headers": passed, "more_trailers": False})
