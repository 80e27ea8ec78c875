"""The way of a request, as one tuple of steps that both lanes run, and the gateway that they run in."""

import hmac
import itertools
import re
import secrets
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

from chassis.auth.claims import IdentityProvider
from strangler_gateway.exchange.errors import render
from strangler_gateway.exchange.exchange import Exchange, Outcome, Reply
from strangler_gateway.exchange.trust import client_behind, public_origin, trusts
from strangler_gateway.http.fields import Kind, Pairs
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.http.write_batch import Turn
from strangler_gateway.identity.providers import open_provider
from strangler_gateway.identity.signer import Signer
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.settings import Settings
from strangler_gateway.steps.authorize import Grants, authorize
from strangler_gateway.steps.decide import decide
from strangler_gateway.steps.identify import identify
from strangler_gateway.steps.limit import Limiter, limit
from strangler_gateway.steps.serialize import Turns, serialize
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import RouteTable, Side
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.log_throttle import Complaints
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.upstream.heads_back import told_decision
from strangler_gateway.upstream.heads_out import request_id_of
from strangler_gateway.upstream.pool import Upstreams

if TYPE_CHECKING:
    from strangler_gateway.recording.record import Recording
    from strangler_gateway.shadow.shadow import Shadow

_MAX_PEERS = 1024
_AMBIGUOUS = re.compile(rb"(?i)%2f|%5c|%00|\\|(?:^|/)(?:\.|%2e){1,2}(?:/|$)")


class Gateway:
    """One per process. `matcher` is the one reference that a flip or a reload swaps."""

    def __init__(
        self,
        settings: Settings,
        table: RouteTable,
        signer: Signer | None,
        log: AccessLog,
        shadow: "Shadow",
        stats: Stats,
        publishing: Publishing | None = None,
    ) -> None:
        self.settings = settings
        self.fast = settings.lane == "fast"
        self.signer = signer
        self.log = log
        self.shadow = shadow
        self.recording: Recording | None = None
        """Set while an operator records (admin_record)."""
        self.turn = Turn()
        self.now: Callable[[], float] = time.monotonic
        self.wall: Callable[[], float] = time.time
        self.random_bytes: Callable[[int], bytes] = secrets.token_bytes
        self.upstreams = Upstreams(self.now, settings.max_response_header, self.turn)
        self.limiter = Limiter()
        self.grants = Grants()
        self.turns = Turns()
        self.complaints = Complaints()
        self.stats = stats
        self.publishing = publishing or Publishing()
        self.ready = False
        self.via = f"{settings.name}-{secrets.token_hex(4)}".encode()
        self.debug_token = settings.debug_token.get_secret_value().encode() if settings.debug_token else None
        self.provider: IdentityProvider | None = open_provider(table.identity)
        self.matcher = Matcher(table)
        self.retired_providers: list[IdentityProvider] = []
        self._request_prefix = secrets.token_hex(6).encode()
        self._numbers = itertools.count(1)
        self._date = (0, b"")
        self._trusted: dict[str, bool] = {}

    def adopt(self, table: RouteTable) -> None:
        """Serves another table from the next request on; requests under way keep theirs."""
        matcher = Matcher(table)
        if table.identity != self.matcher.table.identity:
            provider = open_provider(table.identity)
            if self.provider is not None:
                self.retired_providers.append(self.provider)
            self.provider = provider
            self.grants = Grants()
        self.turns = Turns()
        self.matcher = matcher
        self._trusted = {}
        self.upstreams.keep(table.services)

    async def aclose(self) -> None:
        """Ends calls, connections and providers."""
        self.upstreams.close()
        for provider in (*self.retired_providers, self.provider):
            if provider is not None:
                await provider.aclose()
        await self.publishing.aclose()
        self.log.flush()

    def exchange(self, head: RequestHead, peer: str, scheme: bytes) -> Exchange:
        """A request begins; until it is matched it counts as the last route's."""
        x = Exchange(head, peer, scheme, self.now())
        x.table = table = self.matcher.table
        x.route = table.routes[-1]
        return x

    def trusts(self, peer: str) -> bool:
        """Whether the peer is one of the table's `trusted_proxies:`; found out once a peer."""
        trusted = self._trusted.get(peer)
        if trusted is None:
            if len(self._trusted) >= _MAX_PEERS:
                self._trusted.clear()
            trusted = self._trusted[peer] = trusts(self.matcher.table, peer)
        return trusted

    def new_request_id(self) -> bytes:
        """Unique among all replicas; in time order within one."""
        return b"%b-%x" % (self._request_prefix, next(self._numbers))

    def http_date(self) -> bytes:
        """The Date field's value now (RFC 9110 §5.6.7), made once a second."""
        second = int(self.wall())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]

    def own_answer(self, reply: Reply, x: Exchange | None) -> tuple[Pairs, bytes]:
        """(fields, body) of an answer of the gateway's own; `x` is None where it never became a request."""
        request_id = x.request_id if x is not None else b""
        fields, body = render(reply, self.settings.name, self.matcher.table.errors, request_id)
        fields.append((b"Date", self.http_date()))
        if x is not None:
            fields += x.extra_fields
            fields += told_decision(x)
        return fields, body

    def finish(self, x: Exchange) -> None:
        """The exchange has ended, however: counts it, writes its line, releases what steps took."""
        seconds = self.now() - x.started
        self.stats.count(x, seconds)
        self.log.request(x, self.wall(), seconds)
        for release in x.on_done:
            release()


def observe(gateway: Gateway, x: Exchange) -> Outcome:
    """Names the request, reads the debug fields, and ends loops."""
    if x.head.told:
        refused = _read_told(gateway, x)
        if refused is not None:
            return refused
    if not x.request_id:
        x.request_id = gateway.new_request_id()
    table = x.table
    if table.trusted_proxies and gateway.trusts(x.peer):
        x.trusted = True
        x.client = client_behind(table, x.peer, x.fields)
        x.public_scheme, x.public_host = public_origin(x.fields)
    return None


def _read_told(gateway: Gateway, x: Exchange) -> Reply | None:
    debug = override = b""
    for kind, index in x.head.marks:
        if kind == Kind.REQUEST_ID:
            x.request_id = request_id_of(x.fields, index) or b""
        elif kind == Kind.DEBUG:
            debug = x.fields[index][1]
        elif kind == Kind.OVERRIDE:
            override = x.fields[index][1].lower()
        elif kind == Kind.VIA and gateway.via in x.fields[index][1]:
            return Reply(
                502, "proxy_loop_detected", "The request has been here before: an upstream points back to this gateway."
            )
    if debug and gateway.debug_token is not None and hmac.compare_digest(debug, gateway.debug_token):
        x.debug = True
        x.override = _SIDES.get(override)
    return None


_SIDES = {b"legacy": Side.LEGACY, b"extracted": Side.EXTRACTED}


def match(gateway: Gateway, x: Exchange) -> Outcome:
    """Sets x.route and x.variables; a preflight follows the route of the method that it asks for."""
    matcher, matched = gateway.matcher, x.head.matched
    x.table = matcher.table
    if matched is not None and matched[0] is matcher:
        _, x.route, x.variables = matched
        return None
    method = x.method
    if method == b"OPTIONS":
        method = next((v for n, v in x.fields if n.lower() == b"access-control-request-method"), method)
    x.route, x.variables = matcher.match(method, x.path)
    if x.route.max_body is not None and x.head.length is not None and x.head.length > x.route.max_body:
        return Reply(413, "http_request_error", f"The body is longer than {x.route.max_body} bytes.", close=True)
    if x.route.ambiguous == "reject" and _AMBIGUOUS.search(x.path):
        return Reply(400, "http_request_error", "The path can be read in more than one way.")
    if x.method in (b"OPTIONS", b"TRACE"):
        return _last_hop(x)
    x.head.matched = matcher, x.route, x.variables
    return None


def _last_hop(x: Exchange) -> Outcome:
    """RFC 9110 §7.6.2: with no hop left the gateway is the final recipient."""
    left = next((x.fields[i][1].strip() for kind, i in x.head.marks if kind == Kind.MAX_FORWARDS), b"")
    if not re.fullmatch(rb"0+", left):
        return None
    if x.method == b"OPTIONS":
        allow = (b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE")
        return Reply(200, "", "The gateway: no hop was left.", (allow,))
    return Reply(
        405, "", "The gateway does not echo requests.", ((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
    )


Step = Callable[[Gateway, Exchange], Outcome]
STEPS: tuple[Step, ...] = (observe, match, identify, limit, decide, authorize, serialize)
"""In the order of a request; `forward` follows, on the lane that the request is on, or `publish`, on the ASGI lane."""


def run(gateway: Gateway, x: Exchange) -> Outcome:
    """Runs the steps until one ends the request or has to wait; then x.step is where to go on."""
    for step in STEPS[x.step :] if x.step else STEPS:
        outcome = step(gateway, x)
        if outcome is not None:
            x.step = STEPS.index(step) + 1
            return outcome
    x.step = len(STEPS)
    return None


async def run_on(gateway: Gateway, x: Exchange, outcome: Outcome) -> Reply | None:
    """Awaits what a step waits for, and goes on behind it (the ASGI lane)."""
    while outcome is not None:
        reply = outcome if isinstance(outcome, Reply) else await outcome
        if reply is not None:
            return reply
        outcome = run(gateway, x)
    return None
