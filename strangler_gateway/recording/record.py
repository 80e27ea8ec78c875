"""A running recording: which exchanges it takes, which wait to be written. Bounded in number, size and time."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.taps import Capture
from strangler_gateway.recording.tap import CapturedExchange, TeeTap
from strangler_gateway.table.bucket import BUCKETS, bucket

MAX_BODY = 256 * 1024
"""Bytes of both bodies of an exchange; a longer exchange is left out."""
MAX_UNDER_WAY = 100
MAX_WAITING = 16 * 1024 * 1024
"""Bytes of whole exchanges that wait to be written; more are left out."""


@dataclass(frozen=True, slots=True)
class RecordingRequest:
    """What an operator asks for. `share`: basis points of the callers, each with all requests."""

    for_s: float
    exchanges: int
    route: str | None = None
    share: int = BUCKETS


@dataclass(slots=True)
class Tally:
    """Exchanges on the legacy side since the recording began."""

    taken: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """By reason: not_whole (too long, a stream, the client left), too_many at a time, and those of LeftOut."""

    def leave_out(self, reason: str, count: int = 1) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + count


class Recording:
    """One at a time per gateway. `take` returns whole exchanges in the order of their ends."""

    def __init__(self, wanted: RecordingRequest, clock: Callable[[], float] = time.monotonic, salt: str = "") -> None:
        self.wanted = wanted
        self.tally = Tally()
        self._clock = clock
        self._ends_at = clock() + wanted.for_s
        self.salt = salt or secrets.token_hex(8)
        self._whole: asyncio.Queue[CapturedExchange] = asyncio.Queue()
        self._waiting = 0
        self._under_way = 0

    @property
    def left_s(self) -> float:
        """Seconds until it ends."""
        return max(self._ends_at - self._clock(), 0.0)

    @property
    def waiting(self) -> bool:
        """Whether whole exchanges have not been fetched yet."""
        return not self._whole.empty()

    @property
    def full(self) -> bool:
        """Whether as many exchanges were taken as the operator asked for."""
        return self.tally.taken >= self.wanted.exchanges

    @property
    def over(self) -> bool:
        """Whether no more exchanges are taken."""
        return self.full or not self.left_s

    def tap(self, exchange: Exchange) -> None:
        """Copies the exchange if the operator asks for it, beside the copy that shadow takes."""
        if exchange.upgrade_to(exchange.route.legacy) or self.over or not self._wants(exchange):
            return
        if self._under_way >= MAX_UNDER_WAY:
            self.tally.leave_out("too_many")
            return
        self._under_way += 1
        capture = Capture(MAX_BODY, exchange.head.meaning.length == 0, partial(self._ended, exchange))
        exchange.on_done += (capture.abandon,)
        exchange.tap = capture if exchange.tap is None else TeeTap(exchange.tap, capture)

    async def take(self, timeout_s: float) -> CapturedExchange | None:
        """The next whole exchange; None if none came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                captured = await self._whole.get()
        except TimeoutError:
            return None
        self._waiting -= len(captured.body) + len(captured.answer)
        return captured

    def _wants(self, exchange: Exchange) -> bool:
        wanted = self.wanted
        if wanted.route is not None and exchange.route.id != wanted.route:
            return False
        if wanted.share >= BUCKETS:
            return True
        return bucket(self.salt, caller_of(exchange.fields) or exchange.client.encode()) < wanted.share

    def _ended(self, exchange: Exchange, capture: Capture, whole: bool) -> None:
        self._under_way -= 1
        if not whole:
            self.tally.leave_out("not_whole")
        else:
            self.put(_captured(exchange, capture))

    def put(self, captured: CapturedExchange) -> None:
        """Takes a whole exchange, unless the recording is over."""
        if self.over:
            return
        size = len(captured.body) + len(captured.answer)
        if self._waiting + size > MAX_WAITING:
            self.tally.leave_out("too_many")
            return
        self.tally.taken += 1
        self._waiting += size
        self._whole.put_nowait(captured)


def _captured(exchange: Exchange, capture: Capture) -> CapturedExchange:
    scheme, host = exchange.public_scheme or exchange.scheme, exchange.public_host or exchange.host or b""
    return CapturedExchange(
        route=exchange.route.id,
        caller=caller_of(exchange.fields),
        method=exchange.method.decode("latin-1"),
        target=exchange.head.target.decode("latin-1"),
        fields=exchange.fields,
        body=b"".join(capture.sent),
        status=capture.status,
        answer_fields=capture.fields,
        answer=b"".join(capture.answer),
        origin=f"{scheme.decode('latin-1')}://{host.decode('latin-1')}",
    )


def caller_of(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The credential that tells callers apart: Authorization, else the cookies; empty: none."""
    by_name = {name.lower(): value for name, value in fields}
    return by_name.get(b"authorization") or by_name.get(b"cookie") or b""


class Recorder:
    """Where the recording under way is found, if there is one."""

    def __init__(self) -> None:
        self.recording: Recording | None = None
