"""One JSON line a request, as buffered bytes: route ids, never raw paths, which may hold somebody's data."""

import os
from typing import BinaryIO

from strangler_gateway.exchange.exchange import Exchange

_MAX_BUFFERED = 64 * 1024
_LINE = (
    b'{"event":"request","at":%b,"request_id":"%b","route":"%b","method":"%b","status":%d,%b,"ms":%.2f,"failed":"%b"}\n'
)
_OWN = b'"side":"gateway","reason":"own_reply"'


class AccessLog:
    """Lines are kept until `flush`, or until there are 64 KiB of them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lines: list[bytes] = []
        self._size = 0
        self._ms, self._at = 0, b"0.000"

    def request(self, exchange: Exchange, at: float, seconds: float) -> None:
        """`at`: Unix seconds, when it ended."""
        ms = int(at * 1000)
        if ms != self._ms:
            self._ms, self._at = ms, b"%.3f" % at
        line = _LINE % (
            self._at,
            exchange.request_id,
            exchange.route.id.encode(),
            exchange.method[:32],
            exchange.status,
            exchange.decision.logged if exchange.decision is not None else _OWN,
            seconds * 1000,
            exchange.stage,
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
