"""The Date field of responses (RFC 9110 §6.6.1)."""

from collections.abc import Callable
from email.utils import formatdate


class HttpDate:
    """The current time as a Date value (RFC 9110 §5.6.7), formatted once a second."""

    __slots__ = ("_second", "_value", "_wall")

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._second, self._value = 0, b""

    def __call__(self) -> bytes:
        second = int(self._wall())
        if second != self._second:
            self._second, self._value = second, formatdate(second, usegmt=True).encode()
        return self._value
