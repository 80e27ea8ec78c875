"""A call as an exchange of its own: a GET with what its client's request says of the client."""

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.exchange.request_trace import RequestTrace
from strangler_gateway.http.fields import NEVER_NOMINATED, Kind
from strangler_gateway.http.request_head import RequestHead, parse_request
from strangler_gateway.settings import Settings

_DROPPED = frozenset(
    (
        *(Kind.DROP, Kind.HOST, Kind.CONNECTION, Kind.KEEP_ALIVE, Kind.LENGTH, Kind.TRANSFER_ENCODING, Kind.EXPECT),
        *(Kind.UPGRADE, Kind.TE, Kind.TRAILER, Kind.MAX_FORWARDS, Kind.DEBUG, Kind.OVERRIDE),
    )
)
"""Of the client's connection, of its body, or for the decision about its own request alone."""
_ABOUT_THE_ANSWER = frozenset(
    (
        *(b"accept", b"accept-encoding", b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since"),
        *(b"if-unmodified-since", b"content-encoding", b"content-range", b"prefer"),
    )
)
"""About a representation of the whole: a part of it, or a changed one, cannot be asked of a call."""
_ACCEPTED = b"Accept: application/json\r\nAccept-Encoding: identity\r\n"


class CallExchanges:
    """The exchanges of one client's request. Raises BadRequest for a target that is none."""

    def __init__(self, client: Exchange, settings: Settings) -> None:
        self._client, self._settings = client, settings
        self._memory = HeadMemory()
        self._last: RequestHead | None = None
        self._lines = _lines(client)

    def begin(self, target: bytes, call: str, started: float) -> Exchange:
        """The call's exchange, before its first step."""
        client, limits = self._client, self._settings
        head = b"GET %b HTTP/1.%d\r\n%b\r\n" % (target, client.version - 10, self._lines)
        self._last = parse_request(head, limits.max_request_line, len(head), len(client.fields) + 3, self._last)
        exchange = Exchange(self._last, self._memory, client.table, client.peer, client.scheme, started)
        exchange.request_id = client.request_id
        exchange.client, exchange.trusted = client.client, client.trusted
        exchange.public_scheme, exchange.public_host = client.public_scheme, client.public_host
        if client.trace is not None:
            exchange.trace = RequestTrace(client.trace.span.child(call, "internal"))
        exchange.call = call
        exchange.called_by = client.route.id
        return exchange


def _lines(client: Exchange) -> bytes:
    """The client's field lines that go along with a call."""
    head = client.head
    marked = {index for kind, index in head.meaning.marks if kind in _DROPPED}
    nominated = head.meaning.connection - NEVER_NOMINATED
    kept = [
        head.lines[index]
        for index, (name, _) in enumerate(head.fields)
        if index not in marked and (lower := name.lower()) not in _ABOUT_THE_ANSWER and lower not in nominated
    ]
    host = [b"Host: %b" % head.meaning.host] if head.meaning.host is not None else []
    return b"".join([b"%b\r\n" % line for line in (*host, *kept)]) + _ACCEPTED
