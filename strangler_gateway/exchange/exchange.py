"""The one record that travels with a request; each step writes its own fields and reads only earlier ones."""

from collections.abc import Callable

from chassis.auth.claims import Identity, IdentityProvider
from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.exchange.request_trace import RequestTrace
from strangler_gateway.exchange.taps import Tap
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.table.routes import RouteTable, Service, Side
from strangler_gateway.table.rules.aggregate import AggregateRules
from strangler_gateway.table.rules.publish import PublishRules


class Exchange:
    """A request on its way. Bytes are as received; `fields` are (name as sent, value) in the order received."""

    __slots__ = (
        "aggregate",
        "answered_here",
        "bucket",
        "call",
        "called_by",
        "client",
        "continued",
        "credential",
        "debug",
        "decision",
        "extra_fields",
        "head",
        "identified_by",
        "identity",
        "identity_unavailable",
        "internal_token",
        "key_hash",
        "memory",
        "method",
        "on_done",
        "override",
        "patience_s",
        "peer",
        "protocol",
        "proxy_status",
        "public_host",
        "public_scheme",
        "publish",
        "request_id",
        "route",
        "scheme",
        "sent",
        "service",
        "size",
        "stage",
        "started",
        "status",
        "step",
        "table",
        "tap",
        "trace",
        "trusted",
        "variables",
    )

    service: Service

    def __init__(
        self, head: RequestHead, memory: HeadMemory, table: RouteTable, peer: str, scheme: bytes, started: float
    ) -> None:
        # A long list on purpose: an object for each group of fields would be one more to make for every request.
        self.head = head
        self.memory = memory
        self.table = table
        self.method = head.method
        """As sent, any case, any token."""
        self.peer = peer
        """Address of the other end of the connection ("" for a Unix socket)."""
        self.client = peer
        """Address of the client: the peer's, or what trusted proxies say it is."""
        self.scheme = scheme
        self.started = started
        """Monotonic seconds."""
        self.step = 0
        """Index of the next step."""
        self.route = table.routes[-1]
        """Until it is matched, a request counts as the last route's."""
        self.variables: tuple[bytes, ...] = ()
        self.request_id = b""
        self.credential: bytes | None = None
        """What the monolith gets as Authorization in place of the client's."""
        self.identity: Identity | None = None
        """None: not asked for (legacy), or unavailable."""
        self.identified_by: IdentityProvider | None = None
        """The provider that knows the user."""
        self.identity_unavailable = False
        self.debug = False
        """The debug credential was right: the response tells the decision."""
        self.override: Side | None = None
        """Set only where the debug credential was right."""
        self.key_hash = 0
        """Of what the bucket was drawn by, 32 bits."""
        self.bucket: int | None = None
        self.decision: Decision | None = None
        self.publish: PublishRules | None = None
        """Set by decide in place of `service`: the request becomes a message."""
        self.aggregate: AggregateRules | None = None
        """Set by decide in place of `service`: the request is answered with several calls."""
        self.called_by = ""
        """Of a call of an aggregate: the aggregate's route."""
        self.call = ""
        """The name of that call."""
        self.patience_s = 0.0
        """How long the answer is waited for; 0: as long as the service may take."""
        self.internal_token: bytes | None = None
        """What a service gets in place of Authorization."""
        self.public_scheme: bytes | None = None
        self.public_host: bytes | None = None
        """What a trusted proxy says that the client sees; else `scheme` and `host`."""
        self.trusted = False
        """The peer is one of `trusted_proxies`."""
        self.sent = b""
        """The instance that had the request last, and how often it was sent, as in a log line; empty: nothing special.
        """
        self.status = 0
        self.size = -1
        """Bytes of the answer's body; -1: not known."""
        self.stage = b""
        """Where it failed: connect, response, body, client, publish, aggregate, identity; empty if it did not."""
        self.proxy_status = b""
        """Why it failed, as Proxy-Status tells it (RFC 9209 §2.3); empty where the gateway failed nothing."""
        self.answered_here = False
        """The gateway answered itself, in place of the side."""
        self.continued = False
        """100 Continue has gone out."""
        self.protocol = b""
        """Set once the protocol has been switched to this one: bytes go both ways as they are."""
        self.tap: Tap | None = None
        """Set by decide for a request that is compared or recorded: copies the exchange as it passes."""
        self.trace: RequestTrace | None = None
        """Of a request that is sampled."""
        self.extra_fields: tuple[tuple[bytes, bytes], ...] = ()
        """Added to the response, whichever side it is from (the canary's cookie)."""
        self.on_done: tuple[Callable[[], None], ...] = ()
        """Called once when the exchange has ended, however it ended (slots, leases)."""

    @property
    def fields(self) -> Pairs:
        """Of the request."""
        return self.head.fields

    @property
    def has_service(self) -> bool:
        """Whether the decision names a service; else the gateway's own end takes the request."""
        return self.publish is None and self.aggregate is None

    @property
    def version(self) -> int:
        """10 or 11."""
        return self.head.meaning.version

    @property
    def host(self) -> bytes | None:
        """Of the target if it is in absolute-form, else of the Host field."""
        return self.head.meaning.host

    def upgrade_to(self, service: Service) -> bytes:
        """Of the protocols that the client asks to switch to those that `service` may take; empty for none."""
        return b", ".join([name for name in self.head.meaning.upgrades if name in service.upgrade])
