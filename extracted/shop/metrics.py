"""The shop's metrics for Prometheus."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.service.metrics import Metric, gauge
from extracted.shop.worker import ShopWorker


@dataclass(frozen=True, slots=True)
class ShopMetrics:
    """Gauges of the outbox, of failed messages and of messages that are held."""

    worker: ShopWorker
    messages: StoredFailedMessages

    async def gauges(self) -> Sequence[Metric]:
        """Raises StoreUnavailable."""
        outbox, failed_messages = await self.worker.relay.status(), await self.messages.grouped(None)
        waiting = Counter[str]()
        for group in failed_messages:
            waiting[group.queue] += group.count
        return [
            gauge(
                "shop_outbox_oldest_seconds",
                "The age of the oldest waiting message in seconds.",
                outbox.oldest_s,
                "destination",
            ),
            gauge("shop_outbox_waiting", "Messages that wait for the broker.", outbox.unpublished, "destination"),
            gauge("shop_parked_messages", "Messages that could not be handled.", waiting, "queue"),
            gauge("shop_held_messages", "Messages that wait for a store.", self.worker.held()),
        ]
