"""A connection whose protocol was switched to WebSocket: where its frames end, and when it is pinged."""

from strangler_gateway.http.websocket import Frames


class Tunnel:
    """`ping_s`: an idle tunnel is pinged so often (RFC 6455 §5.5.2); infinite for never."""

    __slots__ = ("_frames", "ping_s", "pinged")

    def __init__(self, ping_s: float) -> None:
        self._frames = Frames()
        self.ping_s = ping_s
        self.pinged = False
        """A ping has not been followed by any byte of the client yet."""

    @property
    def at_boundary(self) -> bool:
        """No frame towards the client is half sent."""
        return self._frames.at_boundary

    def sent(self, data: bytes) -> None:
        """Bytes that go to the client."""
        self._frames.feed(data)
