"""The use case of the clock: Shop is asked again, then asked to cancel, for ever; points never go back by it alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from chassis.store import StoreUnavailable
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import Purchase
from extracted.account.purchases.domain.saga import PATIENCE, Effect, Patience, Step, as_of, look_at, overdue, step
from extracted.account.purchases.ports import Store, Unit

log = structlog.get_logger("account.reminding")

AT_ONCE: Final = 100
_COMMANDS: Final[Mapping[Effect, str]] = {
    Effect.ASK_TO_DECREASE: messages.DECREASE,
    Effect.ASK_TO_CANCEL: messages.CANCEL,
}


@dataclass(frozen=True, slots=True)
class Reminding:
    """Any number of processes may do it: what one has asked, the others see as asked."""

    store: Store
    clock: Callable[[], datetime]
    patience: Patience = PATIENCE

    async def look(self) -> int:
        """Looks at what is due, the longest due first; how many there were. Raises StoreUnavailable."""
        async with self.store.read() as reader:
            due = await reader.due(self.clock(), self.patience.longest, AT_ONCE)
        for purchase in due:
            await self._remind_of(purchase)
        return len(due)

    async def _remind_of(self, purchase: Purchase) -> None:
        """One that fails holds up no other."""
        try:
            await self._remind(purchase)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("reminding_failed", purchase_id=purchase.id)

    async def _remind(self, purchase: Purchase) -> None:
        now = self.clock()
        async with self.store.write() as unit:
            silence = as_of(await unit.silence(purchase), now)
            event = overdue(silence, self.patience, now)
            found = None if event is None else step(purchase.state, event)
            if found is None:
                await unit.look_again(purchase, look_at(silence, self.patience, now), silence.first)
                return
            asked = await act(unit, purchase, found, self.patience, now, silence.first)
        if asked:
            self.store.sent()
            _tell(purchase, found, now)


async def act(
    unit: Unit, purchase: Purchase, found: Step, patience: Patience, now: datetime, first: datetime | None
) -> bool:
    """One more command to Shop; False: the purchase has moved on since it was read."""
    if not await unit.ask(purchase, found.next, now + patience.ask_again, now, first):
        return False
    for effect in found.effects:
        if effect in _COMMANDS:
            await unit.send(messages.COMMANDS_EXCHANGE, messages.command(_COMMANDS[effect], purchase, now))
    return True


def _tell(purchase: Purchase, found: Step, now: datetime) -> None:
    waits_s = round((now - purchase.created_at).total_seconds(), 1)
    tell = log.error if Effect.ALARM in found.effects else log.warning
    tell("shop_is_silent", purchase_id=purchase.id, state=found.next, commands=purchase.asks + 1, waits_s=waits_s)
