"""How many calls a service has at once, which ones wait, and whether any may go: its breaker, its places, its queue.

One sick service cannot take the gateway's connections, memory and time from its neighbours.
"""

import logging
from collections.abc import Callable
from math import ceil
from typing import Final

from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.table.routes import Service
from strangler_gateway.telemetry.bulkheads import BreakerWord, BulkheadStatus
from strangler_gateway.upstream.connections.call import Call
from strangler_gateway.upstream.resilience.breaker import BreakerState, CircuitBreaker
from strangler_gateway.upstream.resilience.call_queue import CallQueue

log = logging.getLogger(__name__)

ENTERED: Final = 1
"""The call has a place, and goes at once."""
FULL: Final = 0
"""Every place is taken."""
REFUSED: Final = -1
"""The breaker lets no call go."""
_NO_ANSWER: Final = ("http_response_timeout", "connection_terminated")
"""Beside the failures to connect. An answer that is not valid shows that somebody is there."""
_OPEN: Final = BreakerState.OPEN
_CLOSED: Final = BreakerState.CLOSED


class Bulkhead:
    """Of one service. `go(call, now)` sends a call that has waited; `soon` calls a function in the next turn."""

    def __init__(
        self,
        service: Service,
        now: Callable[[], float],
        go: Callable[[Call, float], None],
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self.name = service.name
        self.places = 1
        """Calls that may be under way at once."""
        self.under_way = 0
        self.free_until = 0
        """`places`, while calls need no second look: the breaker is closed and nobody waits. Else, or not known: 0."""
        self._ticket = 0
        """That of such a call."""
        self.waiting: CallQueue[Call] = CallQueue(service.queue_max, service.queue_wait_s)
        self.refused_full = self.refused_late = self.refused_open = 0
        """Calls that were not sent: the queue was full, they waited for too long or in vain, the breaker was open."""
        self._alarm = _alarm(service)
        self._now, self._go, self._soon = now, go, soon
        self._is_next_due = self._is_full = False
        self._seen = ""
        rules = service.breaker_rules
        self._watches = rules.watches
        self.breaker = CircuitBreaker(rules, self._changed)

    def enter(self, call: Call, now: float) -> int:
        """ENTERED: the call has a place, which it gives back when it ends; FULL: it has to wait; REFUSED."""
        if self.under_way < self.free_until:
            self._take(call, self._ticket, now)
            return ENTERED
        return self._looked_at(call, now)

    def _looked_at(self, call: Call, now: float) -> int:
        breaker = self.breaker
        if self._watches and not breaker.admits(now):
            return REFUSED
        if self.under_way >= self.places or self.waiting:
            return FULL
        ticket = breaker.admit(now) if self._watches else 0
        if breaker.state is _CLOSED:
            self.free_until, self._ticket = self.places, ticket
        self._take(call, ticket, now)
        return ENTERED

    def _take(self, call: Call, ticket: int, now: float) -> None:
        self.under_way += 1
        call.place = self
        call.is_entered = True
        call.ticket = ticket
        call.entered_at = now

    def wait(self, call: Call, now: float) -> None:
        """The call goes when a place is free; it fails at once where no more may wait."""
        self.drop_overdue(now)
        self.free_until = 0
        call.place = self
        if self.waiting.put(call, now):
            if self.under_way < self.places:
                self._next_soon()
            return
        self.refused_full += 1
        if not self._is_full:
            self._is_full = True
            full = "%s is full: %d calls under way, %d wait; further ones get 503 at once until the queue is shorter"
            log.warning(full, self.name, self.under_way, len(self.waiting))
        self._soon(lambda: call.fail(self._too_much("and too many wait already")))

    def refuse(self, call: Call, now: float) -> None:
        """The breaker is open: the call fails at once."""
        self.refused_open += 1
        wait_s = ceil(self.breaker.open_until - now)
        self._soon(lambda: call.refuse("is marked as down (its breaker is open)", max(wait_s, 1)))

    def status(self, retries: tuple[int, int]) -> BulkheadStatus:
        """`retries`: spent and allowed."""
        now, breaker, waiting = self._now(), self.breaker, self.waiting
        calls, failed, slow = breaker.shown(now)
        word: BreakerWord = "off"
        if self._watches:
            word = "open" if breaker.state is _OPEN else "closed" if breaker.state is _CLOSED else "half-open"
        return BulkheadStatus(
            service=self.name,
            breaker=word,
            seen=self._seen,
            opened=breaker.opened,
            calls=calls,
            failed=failed,
            slow=slow,
            under_way=self.under_way,
            places=self.places,
            waiting=len(waiting),
            may_wait=waiting.most,
            oldest_s=waiting.oldest_s(now),
            refused_full=self.refused_full,
            refused_late=self.refused_late,
            refused_open=self.refused_open,
            retries=retries[0],
            may_retry=retries[1],
        )

    # What a call tells.

    def answered(self, call: Call, status: int, now: float) -> None:
        """The head of its answer has come. By 502, 503 and 504 a service says that it does not work."""
        ticket, call.ticket = call.ticket, 0
        self.breaker.answered(ticket, 502 <= status <= 504, now - call.entered_at, now)

    def failed(self, call: Call, error: UpstreamError) -> None:
        """It ended without an answer."""
        ticket, call.ticket = call.ticket, 0
        if error.stage == "connect" or error.code in _NO_ANSWER:
            self.breaker.failed(ticket, error.stage == "connect", self._now())
        else:
            self.breaker.given_up(ticket)

    def left(self, call: Call) -> None:
        """It has ended."""
        if not call.is_entered:
            self.waiting.remove(call)
            return
        self.under_way -= 1
        if call.ticket:
            self.breaker.given_up(call.ticket)
        if not self.free_until and self.waiting:
            self._next_soon()

    def set_places(self, places: int) -> None:
        """So many may be under way from now on."""
        self.places, self.free_until = places, 0
        if self.waiting:
            self._next_soon()

    # Those that wait.

    def drop_overdue(self, now: float) -> None:
        """Ends the calls that have waited for longer than they may, and those that nobody can serve in time."""
        for call in self.waiting.overdue(now):
            self.refused_late += 1
            call.fail(self._too_much(f"and this one has no chance within {self.waiting.wait_s:g} s"))
        if self._is_full and len(self.waiting) <= self.waiting.most // 2:
            self._is_full = False
            log.info("%s is no longer full: %d calls under way, %d wait", self.name, self.under_way, len(self.waiting))

    def release_all(self) -> None:
        """The service leaves the table: who waits goes at once, whatever there is under way."""
        now = self._now()
        while (call := self.waiting.take(now)) is not None:
            self._take(call, 0, now)
            self._go(call, now)

    def _next_soon(self) -> None:
        """In the next turn, so that a connection that has just become free is there."""
        if not self._is_next_due:
            self._is_next_due = True
            self._soon(self._next)

    def _next(self) -> None:
        self._is_next_due, now = False, self._now()
        self.drop_overdue(now)
        while self.under_way < self.places and (call := self.waiting.take(now)) is not None:
            ticket = self.breaker.admit(now)
            if ticket:
                self._take(call, ticket if self._watches else 0, now)
                self._go(call, now)
            else:
                self.refuse(call, now)

    def _refuse_all(self) -> None:
        now = self._now()
        while self.breaker.state is _OPEN and (call := self.waiting.take(now)) is not None:
            self.refuse(call, now)

    def _changed(self, state: BreakerState, what: str) -> None:
        opens, self._seen, self.free_until = state is _OPEN, what, 0
        log.log(
            logging.WARNING if opens else logging.INFO,
            "the breaker of %s is %s: %s%s", self.name, state, what, self._alarm if opens else "",
        )  # fmt: skip
        if opens and self.waiting:
            self._soon(self._refuse_all)

    def _too_much(self, more: str) -> UpstreamError:
        message = f"The upstream {self.name} has as many requests as it may have at once, {more}."
        return UpstreamError("connection_limit_reached", message, "connect", 1)


def _alarm(service: Service) -> str:
    if not service.is_new_end:
        return "; its requests get 503"
    return "; in canary safe requests go to the legacy side, all others get 503; no state is moved"
