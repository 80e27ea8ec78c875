"""Free TCP ports: each is one process's own until that process ends, so two test runs never get the same."""

import contextlib
import fcntl
import functools
import os
import secrets
import socket
import tempfile
from collections import OrderedDict
from pathlib import Path

FIRST, COUNT = 20_000, 12_000  # below the range that the kernel assigns
KEPT = 2_000  # by one process; then its oldest go back


class Ports:
    """What this process has: for each port a locked byte of a file that all share; a lock ends with its process."""

    def __init__(self, path: Path, count: int = COUNT) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._count = count
        self._own: OrderedDict[int, None] = OrderedDict()

    def take(self) -> int:
        """A port without a listener that no other process has taken."""
        while True:
            port = FIRST + secrets.randbelow(self._count)
            if port not in self._own and self._lock(port) and _is_free(port):
                return port

    def _lock(self, port: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        self._own[port] = None
        if len(self._own) > KEPT:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._own.popitem(last=False)[0])
        return True


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


@functools.cache
def _of_process(_pid: int) -> Ports:
    """Locks are not inherited, so a forked process begins with none."""
    return Ports(Path(tempfile.gettempdir()) / f"strangler-ports-{os.geteuid()}")


def free_port() -> int:
    """A port for a program that starts later; it stays free until then."""
    return _of_process(os.getpid()).take()


def free_ports(number: int) -> list[int]:
    """So many different ones."""
    return [free_port() for _ in range(number)]
