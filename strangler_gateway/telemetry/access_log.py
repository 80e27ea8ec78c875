"""One JSON line a request, as buffered bytes: route ids; raw paths and users, which are personal, only if asked."""

import json
import os
import select
import stat
from collections.abc import Collection, Iterable, Iterator
from typing import BinaryIO, Final

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.fields import DECIMALS

_MAX_BUFFERED: Final = 64 * 1024
_MAX_PATH = 1024
_HUNDREDTHS: Final = [b"%02d" % number for number in range(100)]
_OWN = b'"side":"gateway","reason":"own_reply"'
_REFUSED = (
    b'{"event":"refused","at":%.3f,"peer":%b,"status":%d,"reason":"%b","proxy_status":"%b","message":%b,"more":%d}\n'
)


class AccessLog:
    """Lines are kept until `flush`, or until there are 64 KiB of them. `fields`: `path`, `user`.

    `shared`: other processes write to it, too. What is no file then takes no more than PIPE_BUF bytes as one piece.
    """

    def __init__(self, out: BinaryIO, fields: Collection[str] = (), *, shared: bool = False) -> None:
        self._out = out
        self._in_pieces = shared and not stat.S_ISREG(os.fstat(out.fileno()).st_mode)
        self._path, self._user = "path" in fields, "user" in fields
        self._more = self._path or self._user
        self._lines: list[bytes] = []
        self._size = 0
        self._ms, self._at = 0, b"0.000"

    def request(self, exchange: Exchange, at: float, seconds: float) -> None:
        """`at`: Unix seconds, when it ended."""
        ms = int(at * 1000)
        if ms != self._ms:
            self._ms, self._at = ms, b"%.3f" % at
        whole, hundredths = divmod(round(seconds * 100_000), 100)
        line = b"".join((
            b'{"event":"request","at":', self._at,
            b',"request_id":"', exchange.request_id,
            b'","route":"', exchange.route.id.encode(),
            b'","method":"', exchange.method[:32],
            b'","status":', DECIMALS[exchange.status],
            b",", exchange.decision.logged if exchange.decision is not None else _OWN,
            b',"ms":', DECIMALS[whole] if whole < 1000 else b"%d" % whole, b".", _HUNDREDTHS[hundredths],
            b',"failed":"', exchange.stage, b'"', exchange.sent, b"}\n",
        ))  # fmt: skip
        if exchange.proxy_status or self._more or exchange.called_by or exchange.trace is not None:
            line = line[:-2] + self._seldom(exchange)
        self._put(line)

    def refused(self, peer: str, reason: str, reply: Reply, at: float, more: int) -> None:
        """What never became a request; `more`: how many of this peer were not told since its last line."""
        word, code = reason.encode(), reply.code.encode()
        self._put(_REFUSED % (at, _json(peer), reply.status, word, code, _json(reply.message), more))

    def _seldom(self, exchange: Exchange) -> bytes:
        """The end of a line: why it failed, what the operator asks for; no query, since it may hold secrets."""
        line = b',"proxy_status":"%b"' % exchange.proxy_status if exchange.proxy_status else b""
        if exchange.called_by:
            line += b',"called_by":"%b","call":"%b"' % (exchange.called_by.encode(), exchange.call.encode())
        if exchange.trace is not None:
            line += b',"trace":"%b"' % exchange.trace.span.traceparent[3:35].encode()
        if self._path:
            line += b',"path":%b' % _json(exchange.head.path[:_MAX_PATH].decode("latin-1"))
        if self._user:
            line += b',"user":%b' % _json(exchange.identity.subject if exchange.identity is not None else None)
        return line + b"}\n"

    def _put(self, line: bytes) -> None:
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
            for piece in _pieces(lines) if self._in_pieces else (b"".join(lines),):
                os.write(self._out.fileno(), piece)
        except OSError:
            return


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, as many as fit into one write that no other process's can break (POSIX, write(2) on a pipe)."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    yield piece


def _json(value: str | None) -> bytes:
    return json.dumps(value).encode()
