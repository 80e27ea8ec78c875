"""One sender: claims a mail, writes it, hands it over, notes what became of it; one after another, for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol
from uuid import uuid4

import structlog

from chassis.failpoints import reach
from chassis.store import StoreUnavailable
from extracted.mailer.domain import Claimed, Outcome, Outgoing, Refused, State, Templated, Unanswered, Unreachable
from extracted.mailer.outcomes import (
    PATIENCE,
    Ambiguous,
    Deferred,
    Failed,
    Patience,
    Returned,
    Sent,
    Verdict,
    decide,
)
from extracted.mailer.pacing import Pacing
from extracted.mailer.ports import RequestInvalid, Sendable, Transport

log = structlog.get_logger("mailer.sending")

LOOK_EVERY_S: Final = 1.0
_FIRST_RETRY_S: Final = 0.1
_SHORTEST_S: Final = 0.05
_STATES: Final = {
    Sent: State.SENT,
    Deferred: State.DEFERRED,
    Returned: State.DEFERRED,
    Failed: State.FAILED,
    Ambiguous: State.AMBIGUOUS,
}


class Writing(Protocol):
    """Makes a whole message of a claimed mail, the same at every attempt. Raises whatever it stumbles over."""

    def __call__(self, claimed: Claimed) -> Outgoing: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What senders of one process share. `lease`: longer than `Timeouts.total_s`. `chance`: random, in [0, 1)."""

    mails: Sendable
    write: Writing
    transport: Transport
    pacing: Pacing
    lease: timedelta
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    patience: Patience = PATIENCE
    seconds: Callable[[], float] = time.monotonic
    look_every_s: float = LOOK_EVERY_S


class Sending:
    """One sender. Any number of them, in any number of processes, share the rows."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._woken = asyncio.Event()
        self._is_stopping = False
        self._is_idle = False

    @property
    def is_idle(self) -> bool:
        """Nothing was there to be sent when it looked last."""
        return self._is_idle

    def wake(self) -> None:
        """There may be a mail: look at once."""
        self._is_idle = False
        self._woken.set()

    def stop(self) -> None:
        """Ends `run` when the mail that it holds is settled; nothing new is claimed."""
        self._is_stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Until `stop`, or cancelled: then its mail's lease ends by itself."""
        while not self._is_stopping:
            self._woken.clear()
            wait_s = await self._turn()
            if wait_s > 0 and not self._is_stopping:
                await self._wait(wait_s)

    async def _turn(self) -> float:
        """One mail, if there is one; the seconds until the next look."""
        try:
            wait_s = self._tools.pacing.admit(self._tools.seconds())
            return min(wait_s, self._tools.look_every_s) if wait_s > 0 else await self._next()
        except StoreUnavailable as error:
            log.warning("store_unavailable", reason=str(error))
        except Exception:
            log.exception("sending_failed")
        return self._tools.look_every_s

    async def _next(self) -> float:
        is_told = False
        try:
            claimed = await self._claim()
            if claimed is None:
                return await self._until_due()
            outgoing = await self._written(claimed)
            if outgoing is not None:
                outcome = await self._tools.transport.send(outgoing)
                is_told = True
                self._tell_pacing(outcome)
                await self._settle(claimed, outcome)
        finally:
            if not is_told:
                self._tools.pacing.unused()
        return 0.0

    async def _claim(self) -> Claimed | None:
        return await self._tools.mails.claim(uuid4().hex, self._tools.clock() + self._tools.lease)

    async def _until_due(self) -> float:
        self._is_idle = True
        due = await self._tools.mails.next_due()
        longest = self._tools.look_every_s
        return longest if due is None else min(max((due - self._tools.clock()).total_seconds(), _SHORTEST_S), longest)

    async def _written(self, claimed: Claimed) -> Outgoing | None:
        """None: it cannot be written, so it has failed: it would fail each time."""
        try:
            return self._tools.write(claimed)
        except Exception as error:
            log.exception("mail_cannot_be_written", mail_id=claimed.mail_id)
            told = str(error) if isinstance(error, RequestInvalid) else type(error).__name__
            await self._note(claimed, Failed(f"it cannot be written: {told}", is_bounce=False))
            return None

    def _tell_pacing(self, outcome: Outcome) -> None:
        """A provider that takes mails and never answers counts as away: each further one would be ambiguous, too."""
        if isinstance(outcome, Unreachable | Unanswered):
            self._tools.pacing.missed(self._tools.seconds())
        else:
            self._tools.pacing.reached()

    async def _settle(self, claimed: Claimed, outcome: Outcome) -> None:
        tools = self._tools
        verdict = decide(outcome, claimed, tools.patience, tools.chance(), tools.clock())
        if isinstance(verdict, Sent):
            await reach("mailer.accepted")
        await self._note(claimed, verdict, outcome)

    async def _note(self, claimed: Claimed, verdict: Verdict, outcome: Outcome | None = None) -> None:
        """Again and again while the lease lasts: after it the row becomes ambiguous by itself."""
        until, retry_s = self._tools.clock() + self._tools.lease, _FIRST_RETRY_S
        write = _writer(self._tools.mails, claimed, verdict)
        while True:
            try:
                _report(claimed, verdict, outcome, is_held=await write())
                return
            except StoreUnavailable as error:
                if self._tools.clock() >= until:
                    raise
                log.warning("outcome_waits", mail_id=claimed.mail_id, state=_STATES[type(verdict)], reason=str(error))
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, self._tools.look_every_s)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)


def wake_one(senders: Sequence[Sending]) -> None:
    """For one new mail: the others would find nothing. None is idle: the first that ends its mail looks anyway."""
    for sender in senders:
        if sender.is_idle:
            sender.wake()
            return


def _writer(mails: Sendable, claimed: Claimed, verdict: Verdict) -> Callable[[], Awaitable[bool]]:
    match verdict:
        case Sent(response):
            return partial(mails.sent, claimed, response)
        case Deferred(reason, due_at):
            return partial(mails.deferred, claimed, reason, due_at)
        case Returned(reason, due_at):
            return partial(mails.returned, claimed, reason, due_at)
        case Failed(reason, is_bounce):
            return partial(mails.failed, claimed, reason, is_bounce)
        case Ambiguous(reason, until):
            return partial(mails.ambiguous, claimed, reason, until)


def _report(claimed: Claimed, verdict: Verdict, outcome: Outcome | None, is_held: bool) -> None:
    """For operators: which mail, never to whom. What a server said of a mail may name the address: it is in the row."""
    content = claimed.content
    facts = {
        "mail_id": claimed.mail_id,
        "kind": content.kind if isinstance(content, Templated) else "raw",
        "state": str(_STATES[type(verdict)]),
        "attempt": claimed.attempt,
    }
    if isinstance(outcome, Refused):
        facts |= {"code": outcome.code, "verb": outcome.verb}
    if isinstance(outcome, Unreachable | Unanswered):
        facts["reason"] = outcome.reason
    if not is_held:
        log.warning("lease_lost", **facts)
    elif isinstance(verdict, Failed | Ambiguous):
        log.error("mail_not_sent", **facts)
    else:
        log.info("mail_sent" if isinstance(verdict, Sent) else "mail_deferred", **facts)
