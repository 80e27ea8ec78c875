"""A sender claims a mail, composes it, hands it over and records the result; then the next one."""

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
from chassis.tracing import spans
from extracted.mailer.delivery.outcomes import RETRY_POLICY, DeliveryRetryPolicy, Failed, Returned, Sent, decide
from extracted.mailer.delivery.provider import NotHandedOver
from extracted.mailer.delivery.record_result import ResultRecorder
from extracted.mailer.delivery.throttle import Throttle
from extracted.mailer.domain import Accepted, Claimed, DeliveryOutcome, OutgoingMessage, Unanswered, Unreachable
from extracted.mailer.ports import DeliveryQueue, RequestInvalid, Transport

log = structlog.get_logger("mailer.sending")

LOOK_EVERY_S: Final = 1.0
GIVE_BACK_S: Final = 2.0
_SHORTEST_S: Final = 0.05


class MessageComposer(Protocol):
    """Composes the whole message of a claimed mail: the same bytes at every attempt. May raise anything."""

    def __call__(self, claimed: Claimed) -> OutgoingMessage: ...


@dataclass(frozen=True, slots=True)
class SenderContext:
    """What senders of one process share. `lease`: longer than `Timeouts.total_s`. `chance`: random, in [0, 1)."""

    queue: DeliveryQueue
    compose: MessageComposer
    transport: Transport
    throttle: Throttle
    lease: timedelta
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    retry_policy: DeliveryRetryPolicy = RETRY_POLICY
    seconds: Callable[[], float] = time.monotonic
    look_every_s: float = LOOK_EVERY_S
    give_back_s: float = GIVE_BACK_S


class Sender:
    """Any number of senders, in any number of processes, share the rows."""

    def __init__(self, context: SenderContext) -> None:
        self._context = context
        self._recorder = ResultRecorder(context.queue, context.lease, context.clock, context.look_every_s)
        self._woken = asyncio.Event()
        self._is_stopping = False
        self._is_idle = False

    @property
    def is_idle(self) -> bool:
        """There was nothing to send when it last looked."""
        return self._is_idle

    def wake(self) -> None:
        """Looks for a mail at once."""
        self._is_idle = False
        self._woken.set()

    def stop(self) -> None:
        """Claims nothing more; `run` ends when the current mail is recorded."""
        self._is_stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Until `stop`. When cancelled, it gives back a mail that the provider cannot have; else its lease ends."""
        while not self._is_stopping:
            self._woken.clear()
            wait_s = await self._turn()
            if wait_s > 0 and not self._is_stopping:
                await self._wait(wait_s)

    async def _turn(self) -> float:
        """Sends one mail, if there is one; returns the seconds until the next look."""
        try:
            wait_s = self._context.throttle.admit(self._context.seconds())
            return min(wait_s, self._context.look_every_s) if wait_s > 0 else await self._next()
        except StoreUnavailable as error:
            log.warning("store_unavailable", reason=str(error))
        except Exception:
            log.exception("sending_failed")
        return self._context.look_every_s

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
                self._context.throttle.unused()
        return 0.0

    async def _claim(self) -> Claimed | None:
        return await self._context.queue.claim(uuid4().hex, self._context.clock() + self._context.lease)

    async def _until_due(self) -> float:
        self._is_idle = True
        due = await self._context.queue.next_due()
        longest = self._context.look_every_s
        return longest if due is None else min(max((due - self._context.clock()).total_seconds(), _SHORTEST_S), longest)

    async def _written(self, claimed: Claimed) -> OutgoingMessage | None:
        """None: it cannot be composed, now or later, so it has failed."""
        try:
            return self._context.compose(claimed)
        except Exception as error:
            log.exception("mail_cannot_be_written", mail_id=claimed.mail_id)
            told = str(error) if isinstance(error, RequestInvalid) else type(error).__name__
            await self._recorder.record(claimed, Failed(f"the message cannot be built: {told}", is_bounce=False))
            return None

    async def _sent(self, claimed: Claimed, outgoing: OutgoingMessage) -> DeliveryOutcome:
        try:
            with spans.span("send mail", "client", claimed.traceparent) as covered:
                covered.attributes.update({"mail.id": claimed.mail_id, "mail.attempt": claimed.attempt})
                outcome = await self._context.transport.send(outgoing)
                covered.failed = not isinstance(outcome, Accepted)
            return outcome
        except NotHandedOver:
            await self._give_back(claimed)
            raise

    async def _give_back(self, claimed: Claimed) -> None:
        """Another sender may claim it at once. Where the database is away, its lease ends by itself."""
        verdict = Returned("its sender was stopped before the message was handed over", self._context.clock())
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(self._context.give_back_s):
                await self._recorder.record(claimed, verdict)

    def _tell_pacing(self, outcome: DeliveryOutcome) -> None:
        """A provider that takes a mail and does not answer counts as away: the next mail would be ambiguous, too."""
        if isinstance(outcome, Unreachable | Unanswered):
            self._context.throttle.missed(self._context.seconds())
        else:
            self._context.throttle.reached()

    async def _settle(self, claimed: Claimed, outcome: DeliveryOutcome) -> None:
        context = self._context
        verdict = decide(outcome, claimed, context.retry_policy, context.chance(), context.clock())
        if isinstance(verdict, Sent):
            await reach("mailer.accepted")
        await self._recorder.record(claimed, verdict, outcome)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)


def wake_one(senders: Sequence[Sender]) -> bool:
    """Wakes one idle sender, as one new mail needs one only. False: none is idle; the next free sender looks anyway."""
    for sender in senders:
        if sender.is_idle:
            sender.wake()
            return True
    return False
