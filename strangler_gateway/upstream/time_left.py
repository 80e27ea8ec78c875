"""`Strangler-Timeout-Ms` tells a service how long its answer is still waited for (chassis/deadline.py). Pure."""

import re
from typing import Final

TIMEOUT: Final = b"Strangler-Timeout-Ms"
WAITED_S: Final = 0.01
"""A request that has waited for less is told the whole time, which needs no other head."""
_TOLD = re.compile(rb"(?<=\r\n)" + TIMEOUT + rb": ([0-9]+)(?=\r\n)")


def told_ms(head: bytes) -> int | None:
    """What a request head says; None where it says nothing."""
    found = _TOLD.search(head)
    return int(found[1]) if found else None


def telling(head: bytes, milliseconds: int) -> bytes:
    """The same head with another time, at least 1 ms: 0 may be read as no limit."""
    return _TOLD.sub(b"%b: %d" % (TIMEOUT, max(milliseconds, 1)), head, count=1)
