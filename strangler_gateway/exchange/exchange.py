"""The one record that travels with a request; each step writes its own fields and reads only earlier ones."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

from chassis.auth.claims import Identity
from strangler_gateway.exchange.taps import Copy
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.table.publish_rules import Publish
from strangler_gateway.table.routes import Route, RouteTable, Service, Side


@dataclass(frozen=True, slots=True)
class Content:
    """A body as it goes out, and its media type."""

    media_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the gateway's own. `code` is a word of RFC 9209 §2.3 where one fits; `fields` go out as they are.

    Without `content` the body is shaped by `errors:` of routes.yaml around `message`.
    """

    status: int
    code: str
    message: str
    fields: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Which side takes the request, and why (a word that log, metrics and the debug header show)."""

    side: Side
    reason: str
    logged: bytes = field(init=False, compare=False, repr=False)
    """As it stands in a log line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "logged", b'"side":"%b","reason":"%b"' % (self.side.encode(), self.reason.encode()))


Answer = Reply | None
Outcome = Answer | Awaitable[Answer]
"""What a step returns: None goes on, a Reply ends, an awaitable has to be awaited on the ASGI lane and then goes on."""


class Later:
    """A wait that has not begun: awaited it runs; closed it lets go of what it would have waited for."""

    def __init__(self, inner: object, run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._inner = inner
        self._run = run

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._run().__await__()

    def close(self) -> None:
        """Nobody will await it."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()


class Exchange:
    """A request on its way. Bytes are as received; `fields` are (name as sent, value) in the order received.

    What steps set has its default on the class: a request pays only for what it uses.
    """

    table: RouteTable
    route: Route
    service: Service
    credential: bytes | None = None
    request_id = b""
    variables: tuple[bytes, ...] = ()
    identity: Identity | None = None
    """None: not asked for (legacy), or unavailable."""
    identity_unavailable = False
    step = 0
    """Index of the next step."""
    debug = False
    """The debug credential was right: the response tells the decision."""
    override: Side | None = None
    """Set only where the debug credential was right."""
    bucket: int | None = None
    decision: Decision | None = None
    publish: Publish | None = None
    """Set by decide in place of `service`: the request becomes a message."""
    internal_token: bytes | None = None
    """What a service gets in place of Authorization."""
    public_scheme: bytes | None = None
    public_host: bytes | None = None
    """What a trusted proxy says that the client sees; else `scheme` and `host`."""
    trusted = False
    """The peer is one of `trusted_proxies`."""
    status = 0
    stage = b""
    """Where it failed: connect, response, body, client; empty if it did not."""
    inform: Callable[[ResponseHead], None] | None = None
    """Passes a 1xx response on, where the server can."""
    continued = False
    """100 Continue has gone out."""
    tunnel = False
    """The protocol has been switched: bytes go both ways as they are."""
    tap: Copy | None = None
    """Set by decide for a request that shadow compares or that is recorded: collects the exchange as it passes."""

    def __init__(self, head: RequestHead, peer: str, scheme: bytes, started: float) -> None:
        self.head = head
        self.method = head.method
        """As sent, any case, any token."""
        self.target = head.target
        """Origin-form or `*`; of an absolute-form target its origin-form part (RFC 9112 §3.2)."""
        self.path = head.path
        self.query = head.query
        """With its `?`; empty where there is none."""
        self.version = head.version
        """10 or 11."""
        self.fields = head.fields
        self.host = head.host
        self.authorization = head.authorization
        self.peer = peer
        """Address of the other end of the connection ("" for a Unix socket)."""
        self.client = peer
        """Address of the client: the peer's, or what trusted proxies say it is."""
        self.scheme = scheme
        self.started = started
        """Monotonic seconds."""
        self.extra_fields: list[tuple[bytes, bytes]] = []
        """Added to the response, whichever side it is from (the canary's cookie)."""
        self.on_done: list[Callable[[], None]] = []
        """Called once when the exchange has ended, however it ended (slots, leases)."""
