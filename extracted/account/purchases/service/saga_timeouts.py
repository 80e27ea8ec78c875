"""The use case of the clock: asks Shop again, then to cancel, until Shop answers. It never gives points back itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from chassis.store import StoreUnavailable
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import Purchase
from extracted.account.purchases.domain.saga import (
    DEFAULT_TIMEOUTS,
    Effect,
    TimeoutSettings,
    Transition,
    as_of,
    next_check_at,
    timeout_event,
    transition,
)
from extracted.account.purchases.ports import PurchaseStore, PurchaseUnitOfWork

log = structlog.get_logger("account.reminding")

MOST_PER_CHECK: Final = 100
_COMMANDS: Final[Mapping[Effect, str]] = {
    Effect.ASK_TO_DECREASE: messages.DECREASE,
    Effect.ASK_TO_CANCEL: messages.CANCEL,
}


@dataclass(frozen=True, slots=True)
class SagaTimeouts:
    """Any number of processes may run it: each sees which commands the others have sent."""

    store: PurchaseStore
    clock: Callable[[], datetime]
    timeouts: TimeoutSettings = DEFAULT_TIMEOUTS

    async def check_due(self) -> int:
        """Checks the purchases that are due, the longest due first; returns how many. Raises StoreUnavailable."""
        async with self.store.read() as reader:
            due = await reader.due(self.clock(), self.timeouts.longest, MOST_PER_CHECK)
        for purchase in due:
            await self._check_safely(purchase)
        return len(due)

    async def _check_safely(self, purchase: Purchase) -> None:
        """A purchase that fails does not delay the others."""
        try:
            await self._check(purchase)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("reminding_failed", purchase_id=purchase.id)

    async def _check(self, purchase: Purchase) -> None:
        now = self.clock()
        async with self.store.write() as unit:
            times = as_of(await unit.command_times(purchase), now)
            event = timeout_event(times, self.timeouts, now)
            found = None if event is None else transition(purchase.state, event)
            if found is None:
                await unit.postpone(purchase, next_check_at(times, self.timeouts, now), times.first)
                return
            asked = await send_command(unit, purchase, found, self.timeouts, now, times.first)
        if asked:
            self.store.sent()
            _log_silence(purchase, found, now)


async def send_command(
    unit: PurchaseUnitOfWork,
    purchase: Purchase,
    found: Transition,
    timeouts: TimeoutSettings,
    now: datetime,
    first: datetime | None,
) -> bool:
    """Sends Shop one more command. False: the purchase has changed since it was read."""
    if not await unit.count_command(purchase, found.next, now + timeouts.ask_again, now, first):
        return False
    for effect in found.effects:
        if effect in _COMMANDS:
            await unit.send(messages.COMMANDS_EXCHANGE, messages.command(_COMMANDS[effect], purchase, now))
    return True


def _log_silence(purchase: Purchase, found: Transition, now: datetime) -> None:
    waits_s = round((now - purchase.created_at).total_seconds(), 1)
    write = log.error if Effect.ALARM in found.effects else log.warning
    write("shop_is_silent", purchase_id=purchase.id, state=found.next, commands=purchase.asks + 1, waits_s=waits_s)
