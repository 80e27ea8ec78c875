"""WebSocket frames (RFC 6455 §5.2), as far as a tunnel has to know them: where one ends."""

PING = b"\x89\x00"
"""An unmasked, empty Ping (RFC 6455 §5.5.2). Its Pong reaches the upstream unasked, which §5.5.3 allows."""


def close_frame(code: int) -> bytes:
    """An unmasked Close frame, as a server sends it (RFC 6455 §5.5.1)."""
    return bytes((0x88, 2)) + code.to_bytes(2, "big")


class Frames:
    """Follows the frames of one direction; between two of them something of our own may be sent."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def at_boundary(self) -> bool:
        """No frame is half sent."""
        return not self._head and not self._left

    def feed(self, data: bytes) -> None:
        """Bytes that have gone by."""
        while data:
            if self._left:
                skipped = min(self._left, len(data))
                self._left -= skipped
                data = data[skipped:]
                continue
            head = self._head + data[:14]
            size = _head_size(head)
            if size is None or len(head) < size:
                self._head = head
                return
            data = data[size - len(self._head) :]
            self._head = b""
            self._left = _payload(head)


def _head_size(head: bytes) -> int | None:
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    return 2 + (2 if length == 126 else 8 if length == 127 else 0) + (4 if head[1] & 0x80 else 0)


def _payload(head: bytes) -> int:
    length = head[1] & 0x7F
    if length == 126:
        return int.from_bytes(head[2:4], "big")
    return int.from_bytes(head[2:10], "big") if length == 127 else length
