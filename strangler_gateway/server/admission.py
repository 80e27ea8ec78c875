"""How many requests begin in a turn of the event loop: others wait, and get 503 when the gateway cannot keep up.

A turn stays short however many clients there are, so the admin port and the answers of upstreams have theirs soon; and
what is under way stays few, whose memory the processor's cache holds. Nothing waits here for a slow upstream: a request
has begun when it is sent on.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from strangler_gateway.exchange.outcome import Handler
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.upstream.resilience.call_queue import CallQueue

A_TURN: Final = 128
"""Requests that begin in one turn. Fewer, and a peer is woken too often; more, and the cache no longer holds them."""
_LEAST: Final = 16
_LONG_TURN_S: Final = 0.01
"""After a longer turn only half as many begin in the next ones: what is under way already is too much."""
_LAG_S: Final = 0.01
_LAG_FOR_S: Final = 1.0
"""A turn of more than the first counts as a lag for the second."""
_LOOK_S: Final = 0.005
_MEASURE_S: Final = 0.25
_STALL_S: Final = 0.2
"""No turn takes longer: the rest is the machine's doing, such as a process that was stopped, and nobody has waited."""
_ANY: Final = 1 << 30


class AdmittedClient(Protocol):
    """The client's connection, as far as a request that waits for its turn needs it."""

    def take_turn(self, request: RequestHead, since: float) -> None:
        """The request begins; it came at `since`."""

    def refuse(self, request: RequestHead) -> None:
        """The request is answered with 503."""


class Queued(Handler):
    """Holds a request that waits for its turn; what follows it stays in the connection's buffer."""

    __slots__ = ("_waiting", "client", "request", "since")

    def __init__(
        self, waiting: "CallQueue[Queued]", client: AdmittedClient, request: RequestHead, since: float
    ) -> None:
        self._waiting, self.client, self.request, self.since = waiting, client, request, since

    def on_client_gone(self) -> None:
        self._waiting.remove(self)


class AdmissionControl:
    """`wait_s`: how long a request may wait. More than can begin within that time never wait: they get 503 at once."""

    def __init__(self, now: Callable[[], float], batch: WriteBatch, wait_s: float) -> None:
        self._now, self._batch, self._wait_s = now, batch, wait_s
        self._waiting: CallQueue[Queued] = CallQueue(_ANY, wait_s)
        self._is_busy = False
        self._turn, self._left = -1, A_TURN
        self._may_begin = A_TURN
        self._look_at = 0.0
        self._lags, self._lagged_at = False, -inf
        self.on_lag: Callable[[bool], None] = lambda _: None
        """Told when turns become long, and when they are short again."""
        self._measured_at, self._begun = 0.0, 0
        self._turn_at, self._stalled_s = 0.0, 0.0

    def is_free(self, now: float) -> bool:
        """Whether another request may begin in this turn, which is counted."""
        if now >= self._look_at:
            self._look(now)
        if self._is_busy:
            return False
        turn = self._batch.turn
        if turn != self._turn:
            self._turn, self._left = turn, self._may_begin
        self._left -= 1
        return self._left >= 0

    def _look(self, now: float) -> None:
        """How long is it until the loop comes to what is due at once?"""
        self._look_at = inf
        asyncio.get_running_loop().call_soon(self._pace, now)

    def _pace(self, since: float) -> None:
        clock = self._now
        now = clock()
        self._look_at = now + _LOOK_S
        lag_s = now - since
        is_long = lag_s > _LONG_TURN_S
        self._may_begin = max(self._may_begin // 2, _LEAST) if is_long else min(self._may_begin + 8, A_TURN)
        if lag_s > _LAG_S:
            self._lagged_at = now
        lags = now - self._lagged_at < _LAG_FOR_S
        if lags != self._lags:
            self._lags = lags
            self.on_lag(lags)

    def wait(self, client: AdmittedClient, request: RequestHead, now: float) -> Queued | None:
        """Holds the request until its turn; None: there is no hope for it."""
        if not self._is_busy:
            self._is_busy = True
            self._waiting.most, self._measured_at, self._begun = _ANY, now - self._stalled_s, 0
            self._turn_at = now
            asyncio.get_running_loop().call_soon(self._next)
        waiting = self._waiting
        if waiting.is_full:
            return None
        queued = Queued(waiting, client, request, now)
        waiting.put(queued, now - self._stalled_s)
        return queued

    def _next(self) -> None:
        """The turn of those that wait; one more follows until none does."""
        clock = self._now
        now, waiting, left = clock(), self._waiting, self._may_begin
        self._stalled_s += max(now - self._turn_at - _STALL_S, 0.0)
        self._turn_at, at = now, now - self._stalled_s
        for hopeless in waiting.overdue(at):
            hopeless.client.refuse(hopeless.request)
        for chosen in waiting.turn(at, left):
            left -= 1
            chosen.client.take_turn(chosen.request, chosen.since)
        self._begun += self._may_begin - left
        self._measure(at)
        self._is_busy = len(waiting) > 0
        if self._is_busy:
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._turn, self._left = self._batch.turn, left

    def _measure(self, now: float) -> None:
        """So many may wait as begin within `wait_s`, at the pace of the last quarter of a second."""
        passed = now - self._measured_at
        if passed >= _MEASURE_S:
            self._waiting.most = max(A_TURN, int(self._begun / passed * self._wait_s))
            self._measured_at, self._begun = now, 0
