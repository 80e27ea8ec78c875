"""What Prometheus reads from Account."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.outbox.consumer import Consumer
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.relay import OutboxRelay
from chassis.service.metrics import Metric, gauge
from extracted.account.purchases.audit_timer import AuditTimer
from extracted.account.purchases.operator_ports import BreachKind
from extracted.account.purchases.service.operations import PurchaseOperations


@dataclass(frozen=True, slots=True)
class AccountMetrics:
    """The number of breaches is missing until the first audit has ended."""

    operations: PurchaseOperations
    relay: OutboxRelay
    messages: StoredFailedMessages
    audit_timer: AuditTimer
    consumers: Sequence[Consumer]

    async def gauges(self) -> Sequence[Metric]:
        """Raises StoreUnavailable."""
        by_state: dict[str, float] = dict((await self.operations.counts()).items())
        oldest_s = await self.operations.oldest_open_s()
        outbox, failed_messages = await self.relay.status(), await self.messages.grouped(None)
        waiting = Counter[str]()
        for group in failed_messages:
            waiting[group.queue] += group.count
        held = {status.queue: float(status.held) for status in (consumer.status() for consumer in self.consumers)}
        return [
            gauge("account_open_purchases", "Purchases that the shop has not answered.", by_state),
            gauge(
                "account_oldest_open_purchase_seconds",
                "The age of the oldest open purchase in seconds; 0 if there is none.",
                oldest_s,
            ),
            *self._breaches(),
            gauge(
                "account_outbox_oldest_seconds",
                "The age of the oldest waiting message in seconds.",
                outbox.oldest_s,
                "destination",
            ),
            gauge("account_outbox_waiting", "Messages that wait for the broker.", outbox.unpublished, "destination"),
            gauge("account_parked_messages", "Messages that could not be handled.", waiting, "queue"),
            gauge("account_held_messages", "Messages that wait for a store.", held, "queue"),
        ]

    def _breaches(self) -> Sequence[Metric]:
        last = self.audit_timer.last
        if last is None:
            return ()
        found = Counter(breach.kind for breach in last.breaches)
        by_kind: dict[str, float] = {kind: found[kind] for kind in BreachKind}
        return [
            gauge(
                "account_audit_breaches",
                "Breaches found by the last audit, by kind; at most 1000 are counted.",
                by_kind,
                "kind",
            )
        ]
