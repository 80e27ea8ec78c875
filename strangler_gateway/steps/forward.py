"""Last step: the request goes to its side, and the answer comes back, callback to callback."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from strangler_gateway.exchange.decision import FAILED_OVER
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Client, Handler, Outcome
from strangler_gateway.exchange.own_answers import told_decision
from strangler_gateway.exchange.replies import FAILED, Reply
from strangler_gateway.http import chunked
from strangler_gateway.http.fields import Pairs, allowed_trailers
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.steps.pipeline import Step
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.telemetry.request_traces import RequestTraces
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.upstream.connections.call import Call, Sink
from strangler_gateway.upstream.heads.back import response_fields, response_lines
from strangler_gateway.upstream.heads.out import request_head
from strangler_gateway.upstream.resilience.retry import SAFE
from strangler_gateway.upstream.upstreams import Upstreams

log = logging.getLogger(__name__)


class Forward:
    """`via`: this gateway's name in Via fields; `http_date`: for answers that the upstream did not date.

    `to_legacy`: the step that a request which fails over has to go through.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        stats: Stats,
        via: bytes,
        http_date: Callable[[], bytes],
        to_legacy: Step,
        traces: RequestTraces | None = None,
    ) -> None:
        self._upstreams, self._stats, self._via, self._http_date = upstreams, stats, via, http_date
        self.to_legacy = to_legacy
        self._traces = traces

    def run(self, exchange: Exchange) -> Handler:
        """A relay takes the exchange from here."""
        return Relay(self, exchange)

    def call(self, exchange: Exchange, sink: Sink) -> Call:
        """Starts the call to the side that was decided."""
        assert exchange.decision is not None  # decide has set it
        head = exchange.head
        built = request_head(exchange, exchange.service, exchange.decision.side, self._via)
        if self._traces is not None:
            built = self._traces.sent(exchange, built)
        pool = self._upstreams.pool(exchange.service)
        upgrade = exchange.upgrade_to(exchange.service) if head.meaning.upgrades else b""
        return pool.send(sink, exchange.method, head.target, built, complete=head.meaning.length == 0, upgrade=upgrade)

    def fails_over(self, exchange: Exchange, error: UpstreamError) -> bool:
        """In canary a safe request that the service did not answer goes to legacy, counted; a write never does."""
        decision = exchange.decision
        if (
            decision is None
            or decision.side is Side.LEGACY
            or exchange.route.movable.state is not MigrationState.CANARY
        ):
            return False
        if exchange.method not in SAFE or exchange.head.meaning.length != 0 or error.stage == "body":
            return False
        if exchange.upgrade_to(exchange.service):
            return False
        self._stats.route(exchange.route.id).failovers += 1
        exchange.decision, exchange.service, exchange.sent = FAILED_OVER, exchange.route.legacy, b""
        return True

    def client_fields(self, exchange: Exchange, head: ResponseHead) -> Pairs:
        """The fields for the client."""
        fields = response_fields(exchange, head, exchange.service, _passes_trailers(exchange, head))
        return [*fields, *self._added(exchange, head)]

    def client_lines(self, exchange: Exchange, head: ResponseHead) -> bytes:
        """The same as lines."""
        lines = head.passed
        if lines is None:
            lines = response_lines(exchange, head, exchange.service, _passes_trailers(exchange, head))
        added: Pairs | tuple[tuple[bytes, bytes], ...] = exchange.extra_fields
        if exchange.debug or head.meaning.connection or not head.meaning.dated:
            added = self._added(exchange, head)
        if not added:
            return lines
        pieces = [lines]
        for name, value in added:
            pieces += (name, b": ", value, b"\r\n")
        return b"".join(pieces)

    def _added(self, exchange: Exchange, head: ResponseHead) -> Pairs:
        """What steps add; a Date where the upstream left it out (RFC 9110 §6.6.1); the decision, for debugging."""
        dated = head.meaning.dated and b"date" not in head.meaning.connection
        date = [] if dated else [(b"Date", self._http_date())]
        return [*exchange.extra_fields, *date, *told_decision(exchange)]


def _passes_trailers(exchange: Exchange, head: ResponseHead) -> bool:
    return exchange.head.meaning.te_trailers and head.length == -1


class Relay(Handler):
    """One exchange between the client's connection and an upstream call; it holds no rule of its own."""

    __slots__ = ("_call", "_client", "_exchange", "_forward", "_nominated", "_waiting")

    _call: Call
    _client: Client

    def __init__(self, forward: Forward, exchange: Exchange) -> None:
        self._forward = forward
        self._exchange = exchange
        self._nominated: frozenset[bytes] = frozenset()
        self._waiting: asyncio.Task[None] | None = None
        """For what the monolith needs before a fail-over."""

    def start(self, client: Client) -> None:
        self._client = client
        self._call = self._forward.call(self._exchange, self)

    # What the client does.

    def on_request_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange.tap is not None:
            exchange.tap.request_body(data)
        is_chunked = exchange.head.meaning.length is None and not exchange.protocol
        self._call.write(chunked.encode(data) if is_chunked else data)

    def on_request_end(self, trailers: Pairs) -> None:
        exchange = self._exchange
        self._call.complete = True
        if exchange.tap is not None:
            exchange.tap.request_end()
        if exchange.head.meaning.length is None:
            passed = allowed_trailers(trailers, exchange.head.meaning.connection, exchange.table.identity_headers)
            self._call.write(chunked.last(passed))

    def on_client_gone(self) -> None:
        self._call.abort()
        if self._waiting is not None:
            self._waiting.cancel()

    def on_client_full(self) -> None:
        self._call.pause()

    def on_client_writable(self) -> None:
        self._call.resume()

    # What the upstream does.

    def on_informational(self, head: ResponseHead) -> None:
        self._client.inform(head)

    def on_head(self, head: ResponseHead) -> None:
        exchange, meaning = self._exchange, head.meaning
        if meaning.status == 101:
            exchange.protocol = meaning.upgrade
        self._nominated = meaning.connection
        if self._call.attempts:
            exchange.sent = self._call.sent
        lines = self._forward.client_lines(exchange, head)
        self._client.write_head(meaning.status, meaning.reason, lines, head.length)
        if exchange.tap is not None:
            exchange.tap.head(meaning.status, self._forward.client_fields(exchange, head))

    def on_body(self, data: bytes) -> None:
        self._client.write_body(data)
        if self._exchange.tap is not None:
            self._exchange.tap.body(data)

    def on_end(self, trailers: Pairs) -> None:
        if self._exchange.tap is not None:
            self._exchange.tap.done()
        self._client.end_response(allowed_trailers(trailers, self._nominated) if trailers else trailers)

    def on_error(self, error: UpstreamError) -> None:
        client, exchange = self._client, self._exchange
        if not client.responding and self._forward.fails_over(exchange, error):
            outcome = self._forward.to_legacy.run(exchange)
            if outcome is None:
                self._call = self._forward.call(exchange, self)
            else:
                self._waiting = asyncio.get_running_loop().create_task(self._fail_over(outcome))
            return
        exchange.sent = self._call.sent
        exchange.stage, exchange.proxy_status = error.stage.encode(), error.code.encode()
        if client.responding:
            client.break_off()
        else:
            client.reply(error.reply())

    async def _fail_over(self, outcome: Outcome) -> None:
        try:
            reply = await outcome if isinstance(outcome, Awaitable) else outcome
        except Exception:
            log.exception("a fail-over failed")
            reply = FAILED
        if isinstance(reply, Reply):
            self._client.reply(reply)
        else:
            self._call = self._forward.call(self._exchange, self)

    def on_full(self) -> None:
        self._client.pause_upload()

    def on_writable(self) -> None:
        self._client.resume_upload()

    def flush(self) -> None:
        self._client.flush()
