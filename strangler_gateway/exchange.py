"""The one record that travels with a request; each step writes its own fields and reads only earlier ones."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chassis.claims import Identity
from strangler_gateway.routes import Route, RouteTable, Service, Side


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the gateway's own. `code` is a word of RFC 9209 §2.3 where one fits; `fields` go out as they are."""

    status: int
    code: str
    message: str
    fields: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Which side takes the request, and why (a word that log, metrics and the debug header show)."""

    side: Side
    reason: str


Answer = Reply | None
Outcome = Answer | Awaitable[Answer]
"""What a step returns: None goes on, a Reply ends, an awaitable has to be awaited on the ASGI lane and then goes on."""


class Exchange:
    """A request on its way. Bytes are as received; `fields` are (name as sent, value) in the order received."""

    __slots__ = (
        "authorization",
        "bucket",
        "client",
        "credential",
        "decision",
        "extra_fields",
        "fields",
        "host",
        "identity",
        "identity_unavailable",
        "internal_token",
        "method",
        "on_done",
        "override",
        "path",
        "query",
        "request_id",
        "route",
        "scheme",
        "service",
        "started",
        "status",
        "table",
        "tap",
        "target",
        "variables",
        "version",
    )

    table: RouteTable
    route: Route
    service: Service

    def __init__(
        self,
        method: bytes,
        target: bytes,
        path: bytes,
        query: bytes,
        version: int,
        fields: list[tuple[bytes, bytes]],
        client: str,
        scheme: bytes,
        started: float,
    ) -> None:
        self.method = method
        """As sent, any case, any token."""
        self.target = target
        """Origin-form or `*`; of an absolute-form target its origin-form part (RFC 9112 §3.2)."""
        self.path = path
        self.query = query
        """With its `?`; empty where there is none."""
        self.version = version
        """10 or 11."""
        self.fields = fields
        self.client = client
        """Address of the peer ("" for a Unix socket)."""
        self.scheme = scheme
        self.started = started
        """Monotonic seconds."""
        self.host: bytes | None = None
        self.authorization: bytes | None = None
        self.request_id = b""
        self.variables: tuple[bytes, ...] = ()
        self.identity: Identity | None = None
        """None: not asked for (legacy), or unavailable."""
        self.identity_unavailable = False
        self.override: Side | None = None
        """Set only where the debug credential was right."""
        self.bucket: int | None = None
        self.decision: Decision | None = None
        self.internal_token: bytes | None = None
        """What a service gets in place of Authorization."""
        self.credential: bytes | None = None
        self.extra_fields: list[tuple[bytes, bytes]] = []
        """Added to the response, whichever side it is from (the canary's cookie)."""
        self.status = 0
        self.tap: object | None = None
        """Set by decide for a request that shadow compares: collects the primary's answer."""
        self.on_done: list[Callable[[], None]] = []
        """Called once when the exchange has ended, however it ended (slots, leases)."""
