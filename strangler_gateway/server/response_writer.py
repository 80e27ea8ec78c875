"""Writes responses in the framing that the client understands (RFC 9112 §6, §7)."""

from math import inf
from typing import Final

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.http import chunked
from strangler_gateway.http.fields import DECIMALS, Pairs
from strangler_gateway.http.write_batch import Output
from strangler_gateway.server.tunnel import Tunnel

_DELIMITED: Final = 0
_CHUNKED: Final = 1
_BY_CLOSE: Final = 2
_NONE: Final = 3
_TUNNEL: Final = 4


class ResponseWriter:
    """One per connection, begun anew with each head."""

    __slots__ = ("_framing", "_out", "size", "tunnel")

    def __init__(self, out: Output) -> None:
        self._out = out
        self._framing = _NONE
        self.size = 0
        """Bytes of the body; where its length was not known before, as far as it has come."""
        self.tunnel: Tunnel | None = None
        """Set once the protocol has been switched."""

    @property
    def ends_by_close(self) -> bool:
        """The end of the connection is the end of the body."""
        return self._framing == _BY_CLOSE

    def head(
        self, exchange: Exchange, status: int, reason: bytes, lines: bytes, length: int | None, keep: bool
    ) -> bool:
        """Begins a response. `length`: bytes of the body, -1 or None if unknown; gives whether the connection stays."""
        framing = self._framing = _framing(exchange, status, length)
        self.size = 0 if length is None or length < 0 else length
        keep = keep and framing != _BY_CLOSE
        if framing == _CHUNKED:
            lines += b"Transfer-Encoding: chunked\r\n"
        elif framing == _TUNNEL:
            lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % exchange.protocol
            is_websocket = exchange.protocol == b"websocket"
            self.tunnel = Tunnel(is_websocket, (is_websocket and exchange.service.websocket_ping_s) or inf)
        if not keep and framing != _TUNNEL:
            lines += b"Connection: close\r\n"
        elif exchange.head.meaning.version == 10:
            lines += b"Connection: keep-alive\r\n"
        self._out.put(b"".join((b"HTTP/1.1 ", DECIMALS[status], b" ", reason, b"\r\n", lines, b"\r\n")))
        return keep

    def body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._framing == _CHUNKED:
            self.size += len(data)
            self._out.put(chunked.encode(data))
        elif self._framing != _NONE:
            self._out.put(data)
            if self.tunnel is not None:
                self.tunnel.sent(data)

    def end(self, trailers: Pairs) -> None:
        """The body is complete."""
        if self._framing == _CHUNKED:
            self._out.put(chunked.last(trailers))
        self._out.soon()


def _framing(exchange: Exchange, status: int, length: int | None) -> int:
    if status == 101:
        return _TUNNEL
    if exchange.method == b"HEAD" or status in (204, 304):
        return _NONE
    if length is not None and length >= 0:
        return _DELIMITED
    return _CHUNKED if exchange.version == 11 else _BY_CLOSE
