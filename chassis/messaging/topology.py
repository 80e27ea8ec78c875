"""Exchanges, queues and who may use them: one file for all brokers, read here (rule 8 of the messaging rules)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """Durable, bounded, replicated; bound in `exchange` (direct) to each of `types`. Its dead letters: NAME.dead."""

    name: str
    owner: str
    exchange: str
    types: tuple[str, ...]
    max_length: int = 10_000
    delivery_limit: int = 20

    @property
    def dead(self) -> str:
        """Where its dead letters lie."""
        return f"{self.name}.dead"


@dataclass(frozen=True, slots=True)
class Topology:
    """`writers`: exchange → the deployables that may publish there."""

    writers: dict[str, tuple[str, ...]]
    queues: tuple[Queue, ...]

    def owned_by(self, owner: str) -> "Topology":
        """The queues of one deployable, and the exchanges that they are bound in."""
        queues = tuple(queue for queue in self.queues if queue.owner == owner)
        used = {queue.exchange for queue in queues}
        return Topology({name: who for name, who in self.writers.items() if name in used}, queues)
