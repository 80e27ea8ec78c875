"""What Prometheus reads of rewards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.outbox.relay import OutboxRelay
from chassis.service.metrics import Metric, gauge
from extracted.learning.rewards.ports import RewardRecords


@dataclass(frozen=True, slots=True)
class RewardMetrics:
    """`clock` in UTC."""

    records: RewardRecords
    relay: OutboxRelay
    clock: Callable[[], datetime]

    async def gauges(self) -> Sequence[Metric]:
        """Raises StoreUnavailable."""
        number, since = await self.records.unsettled()
        age_s = 0.0 if since is None else max(0.0, (self.clock() - since).total_seconds())
        outbox = await self.relay.status()
        return [
            gauge("learning_unsettled_rewards", "Successes of which it is not yet known who pays them.", number),
            gauge(
                "learning_oldest_unsettled_reward_seconds", "The age of the oldest of them; 0 if there is none.", age_s
            ),
            gauge(
                "learning_outbox_oldest_seconds",
                "The age of the oldest waiting message in seconds.",
                outbox.oldest_s,
                "destination",
            ),
            gauge("learning_outbox_waiting", "Messages that wait for the broker.", outbox.unpublished, "destination"),
        ]
