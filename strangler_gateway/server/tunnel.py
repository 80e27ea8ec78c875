"""A connection whose protocol was switched. Of a WebSocket: where its frames end, and when it is pinged."""

from strangler_gateway.http.websocket import Frames


class Tunnel:
    """`ping_s`: an idle WebSocket is pinged so often (RFC 6455 §5.5.2); infinite for never."""

    __slots__ = ("_frames", "ping_s", "pinged")

    def __init__(self, is_websocket: bool, ping_s: float) -> None:
        self._frames = Frames() if is_websocket else None
        self.ping_s = ping_s
        self.pinged = False
        """A ping has not been followed by any byte of the client yet."""

    @property
    def at_boundary(self) -> bool:
        """Frames of the gateway's own may be sent: no frame towards the client is half sent."""
        return self._frames is not None and self._frames.at_boundary

    def sent(self, data: bytes) -> None:
        """Bytes that go to the client."""
        if self._frames is not None:
            self._frames.feed(data)
