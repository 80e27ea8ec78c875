"""Step: names the request and reads the debug fields; at the end of an exchange, one log line and the counters."""

import hmac
import itertools
import secrets
from collections.abc import Callable

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.exchange.replies import OVERLOADED, Reply
from strangler_gateway.exchange.trust import client_behind, network_of, public_origin, trusts
from strangler_gateway.http.fields import Kind
from strangler_gateway.table.routes import RouteTable, Side
from strangler_gateway.telemetry import request_traces
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.log_throttle import SubjectThrottle
from strangler_gateway.telemetry.request_traces import RequestTraces
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.upstream.heads.out import request_id_of

_MAX_PEERS = 1024
_SIDES = {b"legacy": Side.LEGACY, b"extracted": Side.EXTRACTED}
_LOOP = Reply(502, "proxy_loop_detected", "Loop: an upstream points back to this gateway.")


class Observe:
    """`via`: this gateway's name in Via fields; `debug_token`: who shows it sees and may override the decision.

    `traces`: None while nothing is traced.
    """

    def __init__(self, via: bytes, debug_token: bytes | None, traces: RequestTraces | None = None) -> None:
        self._traces = traces
        self._via = via
        self._debug_token = debug_token
        self._request_prefix = secrets.token_hex(6).encode()
        self._numbers = itertools.count(1)
        self._trusted: dict[str, bool] = {}
        self._trusted_by: RouteTable | None = None

    def run(self, exchange: Exchange) -> Outcome:
        """Sets request_id, debug, override; client, public_scheme and public_host behind a trusted proxy."""
        if exchange.head.meaning.told:
            refused = self._read_told(exchange)
            if refused is not None:
                return refused
        if not exchange.request_id:
            # Unique among all replicas; in time order within one.
            exchange.request_id = b"%b-%x" % (self._request_prefix, next(self._numbers))
        table = exchange.table
        if table.trusted_proxies and self._trusts(table, exchange.peer):
            exchange.trusted = True
            exchange.client = client_behind(table, exchange.peer, exchange.fields)
            exchange.public_scheme, exchange.public_host = public_origin(exchange.fields)
        if self._traces is not None:
            self._traces.begin(exchange)
        return None

    def _read_told(self, exchange: Exchange) -> Reply | None:
        debug = override = b""
        for kind, index in exchange.head.meaning.marks:
            if kind == Kind.REQUEST_ID:
                exchange.request_id = request_id_of(exchange.fields, index) or b""
            elif kind == Kind.DEBUG:
                debug = exchange.fields[index][1]
            elif kind == Kind.OVERRIDE:
                override = exchange.fields[index][1].lower()
            elif kind == Kind.VIA and self._via in exchange.fields[index][1]:
                return _LOOP
        if debug and self._debug_token is not None and hmac.compare_digest(debug, self._debug_token):
            exchange.debug = True
            exchange.override = _SIDES.get(override)
        return None

    def _trusts(self, table: RouteTable, peer: str) -> bool:
        """Whether the peer is one of the table's `trusted_proxies:`; found out once a peer."""
        if table is not self._trusted_by or len(self._trusted) >= _MAX_PEERS:
            self._trusted, self._trusted_by = {}, table
        trusted = self._trusted.get(peer)
        if trusted is None:
            trusted = self._trusted[peer] = trusts(table, peer)
        return trusted


class Observer:
    """The end of an exchange, however it ended, and what never became one."""

    def __init__(self, stats: Stats, log: AccessLog, now: Callable[[], float], wall: Callable[[], float]) -> None:
        self._stats, self._log, self._wall = stats, log, wall
        self._throttle = SubjectThrottle(now)

    def done(self, exchange: Exchange, now: float) -> None:
        """Counts it, writes its log line, releases what steps took. `now`: monotonic seconds."""
        seconds, wall = now - exchange.started, self._wall
        self._stats.count(exchange, seconds)
        self._log.request(exchange, wall(), seconds)
        if exchange.trace is not None:
            request_traces.end(exchange, exchange.trace)
        for release in exchange.on_done:
            release()

    def refused(self, peer: str, reason: str, reply: Reply) -> None:
        """Counts it; one log line now and then for each peer, since anybody may send anything."""
        self._stats.refuse(overloaded=reason == OVERLOADED)
        told = self._throttle.told(network_of(peer))
        if told is not None:
            self._log.refused(peer, reason, reply, self._wall(), more=told[1])
