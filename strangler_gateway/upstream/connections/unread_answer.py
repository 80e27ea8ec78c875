"""What a connection had received before it was lost. The kernel keeps it behind a reset; the loop never reads it."""

import os

_READ = 64 * 1024


class UnreadAnswer:
    """Reads on from a duplicate of the connection's descriptor, without blocking: at most one receive buffer is left.

    For plain sockets only, and inside `connection_lost`: the transport closes its descriptor right behind it.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)

    def read(self) -> bytes:
        """The next bytes; empty where the sender had ended its side. Raises OSError where there are no more."""
        return os.read(self._descriptor, _READ)

    def close(self) -> None:
        """Gives up the rest; may be called again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
