"""How many requests begin in a turn of the event loop: others wait, and get 503 when the gateway cannot keep up.

A turn stays short however many clients there are and whatever they ask for, so the admin port and the answers of
upstreams have theirs soon; and what is under way stays few, whose memory the processor's cache holds. Nothing waits
here for a slow upstream: a request has begun when it is sent on.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from strangler_gateway.exchange.outcome import Handler
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.upstream.resilience.call_queue import CallQueue

A_TURN: Final = 64
"""Requests that begin in one turn at most. Fewer small ones, and a peer is woken too often."""
_LEAST: Final = 4
_A_TURN_S: Final = 0.002
"""While some wait, only so many begin in a turn as end within this time: of more, the cache no longer holds all."""
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
        self._measured_at, self._begun = 0.0, 0
        self._turn_at, self._stalled_s = 0.0, 0.0

    def is_free(self) -> bool:
        """Whether another request may begin in this turn, which is counted."""
        if self._is_busy:
            return False
        turn = self._batch.turn
        if turn != self._turn:
            self._turn, self._left = turn, self._may_begin
        self._left -= 1
        return self._left >= 0

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
        """The turn of those that wait; one more follows until none does, whatever fails in this one."""
        left = self._may_begin
        try:
            left = self._begin_some(left)
        finally:
            self._is_busy = len(self._waiting) > 0
            if self._is_busy:
                asyncio.get_running_loop().call_soon(self._next)
            else:
                self._turn, self._left = self._batch.turn, left

    def _begin_some(self, most: int) -> int:
        """How many of the most that may begin are left."""
        now, waiting, left = self._now(), self._waiting, most
        self._stalled_s += max(now - self._turn_at - _STALL_S, 0.0)
        self._turn_at, at = now, now - self._stalled_s
        for hopeless in waiting.overdue(at):
            hopeless.client.refuse(hopeless.request)
        for chosen in waiting.turn(at, left):
            left -= 1
            chosen.client.take_turn(chosen.request, chosen.since)
        self._begun += most - left
        self._measure(at)
        return left

    def _measure(self, now: float) -> None:
        """So many may wait as begin within `wait_s`, at the pace of the last quarter of a second; so many in a turn."""
        passed = now - self._measured_at
        if passed >= _MEASURE_S:
            per_s = self._begun / passed
            self._may_begin = min(max(int(per_s * _A_TURN_S), _LEAST), A_TURN)
            self._waiting.most = max(A_TURN, int(per_s * self._wait_s))
            self._measured_at, self._begun = now, 0
