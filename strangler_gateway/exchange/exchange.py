"""The one record that travels with a request; each step writes its own fields and reads only earlier ones."""

from collections.abc import Callable

from chassis.auth.claims import Identity
from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.exchange.taps import Tap
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.table.publish_rules import PublishRules
from strangler_gateway.table.routes import RouteTable, Service, Side


class Exchange:
    """A request on its way. Bytes are as received; `fields` are (name as sent, value) in the order received.

    What steps set has its default on the class: a request pays only for what it uses.
    """

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
    key_hash = 0
    """Of what the bucket was drawn by, 32 bits."""
    bucket: int | None = None
    decision: Decision | None = None
    publish: PublishRules | None = None
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
    """Where it failed: connect, response, body, client, publish, identity; empty if it did not."""
    proxy_status = b""
    """Why it failed, as Proxy-Status tells it (RFC 9209 §2.3); empty where the gateway failed nothing."""
    answered_here = False
    """The gateway answered itself, in place of the side."""
    continued = False
    """100 Continue has gone out."""
    protocol = b""
    """Set once the protocol has been switched to this one: bytes go both ways as they are."""
    tap: Tap | None = None
    """Set by decide for a request that is compared or recorded: copies the exchange as it passes."""

    @property
    def fields(self) -> Pairs:
        """Of the request."""
        return self.head.fields

    def __init__(
        self, head: RequestHead, memory: HeadMemory, table: RouteTable, peer: str, scheme: bytes, started: float
    ) -> None:
        self.head = head
        self.memory = memory
        self.table = table
        self.route = table.routes[-1]
        """Until it is matched, a request counts as the last route's."""
        self.method = head.method
        """As sent, any case, any token."""
        self.target = head.target
        """Origin-form or `*`; of an absolute-form target its origin-form part (RFC 9112 §3.2)."""
        self.path = head.path
        self.query = head.query
        """With its `?`; empty where there is none."""
        self.version = head.version
        """10 or 11."""
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

    def upgrade_to(self, service: Service) -> bytes:
        """Of the protocols that the client asks to switch to those that `service` may take; empty for none."""
        return b", ".join([name for name in self.head.upgrades if name in service.upgrade])
