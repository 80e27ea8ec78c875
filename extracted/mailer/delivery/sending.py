"""One sender: claims a mail, writes it, hands it over, notes what became of it; one after another, for ever."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

import structlog

from chassis.failpoints import reach
from chassis.store import StoreUnavailable
from extracted.mailer.delivery.outcomes import PATIENCE, Failed, Patience, Returned, Sent, decide
from extracted.mailer.delivery.pacing import Pacing
from extracted.mailer.delivery.provider import NotHandedOver
from extracted.mailer.delivery.record_result import Noting
from extracted.mailer.domain import Claimed, Outcome, Outgoing, Unanswered, Unreachable
from extracted.mailer.ports import RequestInvalid, Sendable, Transport

log = structlog.get_logger("mailer.sending")

LOOK_EVERY_S: Final = 1.0
GIVE_BACK_S: Final = 2.0
_SHORTEST_S: Final = 0.05


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
    give_back_s: float = GIVE_BACK_S


class Sending:
    """One sender. Any number of them, in any number of processes, share the rows."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._noting = Noting(tools.mails, tools.lease, tools.clock, tools.look_every_s)
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
        """Until `stop`, or cancelled: then a mail is given back that the provider cannot have; else its lease ends."""
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
                outcome = await self._sent(claimed, outgoing)
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
            await self._noting.note(claimed, Failed(f"it cannot be written: {told}", is_bounce=False))
            return None

    async def _sent(self, claimed: Claimed, outgoing: Outgoing) -> Outcome:
        try:
            return await self._tools.transport.send(outgoing)
        except NotHandedOver:
            await self._give_back(claimed)
            raise

    async def _give_back(self, claimed: Claimed) -> None:
        """For any other sender, at once. Where the database is away, its lease ends by itself."""
        verdict = Returned("its sender was stopped before the message was handed over", self._tools.clock())
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(self._tools.give_back_s):
                await self._noting.note(claimed, verdict)

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
        await self._noting.note(claimed, verdict, outcome)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)


def wake_one(senders: Sequence[Sending]) -> None:
    """For one new mail: the others would find nothing. None is idle: the first that ends its mail looks anyway."""
    for sender in senders:
        if sender.is_idle:
            sender.wake()
            return
