"""One JSON line a request, as buffered bytes: route ids, never raw paths, which may hold somebody's data."""

import os
from typing import BinaryIO

from strangler_gateway.exchange import Exchange

_MAX_BUFFERED = 64 * 1024


class AccessLog:
    """Lines are kept until `flush`, or until there are 64 KiB of them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lines: list[bytes] = []
        self._size = 0

    def request(self, x: Exchange, at: float, seconds: float) -> None:
        """`at`: Unix seconds, when it ended."""
        decision = x.decision
        line = b'{"event":"request","at":%.3f,"request_id":"%b","route":"%b","method":"%b","status":%d,"side":"%b","reason":"%b","ms":%.2f,"failed":"%b"}\n' % (
            at,
            x.request_id,
            x.route.id.encode(),
            x.method[:32],
            x.status,
            decision.side.value.encode() if decision else b"gateway",
            decision.reason.encode() if decision else b"own_reply",
            seconds * 1000,
            x.stage,
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size > _MAX_BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Writes what is buffered; a log that cannot be written never stops a request."""
        if not self._lines:
            return
        lines, self._lines, self._size = self._lines, [], 0
        try:
            os.write(self._out.fileno(), b"".join(lines))
        except OSError:
            return

