"""Account's queues for operators: open purchases, the outbox (purchases, rewards, mail requests), failed messages."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chassis.service.failed_messages_api import FailedMessageOperations
from chassis.service.operators_status import MAX_PARKED, ParkedItem, QueueAction, QueueStatus, shortened
from chassis.service.operators_status_api import OutboxStatus, failed_message_queues, outbox_queues
from extracted.account.purchases.domain.purchase import Purchase
from extracted.account.purchases.operator_ports import PurchaseFilter
from extracted.account.purchases.service.operations import PurchaseOperations

SLOW: Final = timedelta(minutes=1)
"""A purchase that is open for longer is shown."""
ACTIONS: Final = (
    QueueAction(name="resume", path="/internal/purchases/{id}/resume"),
    QueueAction(name="cancel", path="/internal/purchases/{id}/cancel"),
)


@dataclass(frozen=True, slots=True)
class AccountQueues:
    """Of one process; outbox and failed messages are those of all."""

    operations: PurchaseOperations
    outbox: Callable[[], Awaitable[OutboxStatus]]
    messages: FailedMessageOperations

    async def shown(self) -> Sequence[QueueStatus]:
        """Raises StoreUnavailable."""
        outbox = outbox_queues(await self.outbox())
        return [await self._purchases(), *outbox, *await failed_message_queues(self.messages)]

    async def _purchases(self) -> QueueStatus:
        counts, operations = await self.operations.counts(), self.operations
        slow = await operations.listed(PurchaseFilter(MAX_PARKED, tuple(counts), operations.clock() - SLOW))
        return QueueStatus(
            name="open purchases",
            waiting=sum(counts.values()),
            oldest_s=await operations.oldest_open_s() if any(counts.values()) else None,
            state="slow" if slow else "ok",
            parked=tuple(map(_parked, slow)),
            actions=ACTIONS,
        )


def _parked(one: Purchase) -> ParkedItem:
    why = shortened(one.reason or f"the shop has not answered; asked {one.asks} times")
    return ParkedItem(id=one.id, what=one.state, why=why, at=one.created_at)
