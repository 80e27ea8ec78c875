"""A network that this thread and what it starts have for themselves, for programs whose ports are fixed."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

ADDRESS = "10.0.0.1"
"""Beside those of loopback, which not every program takes."""
_CLONE_NEWNET = 0x40000000


@contextmanager
def own_network() -> Iterator[None]:
    """It has loopback alone, and is gone with the last process in it. Needs root. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(libc.unshare(_CLONE_NEWNET))
        for words in ("link set lo up", f"address add {ADDRESS}/32 dev lo", "route add default dev lo"):
            subprocess.run(["ip", *words.split()], check=True)
        yield
    finally:
        enter(libc.setns(before, _CLONE_NEWNET))
        os.close(before)
