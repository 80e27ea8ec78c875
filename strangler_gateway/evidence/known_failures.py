"""How often legacy itself fails, as a probe has shown: so often the new side may fail, and that is no break. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from strangler_gateway.evidence.bounds import Proportion, wilson
from strangler_gateway.evidence.cards import NOTHING, Card, Row
from strangler_gateway.table.routes import BreachRules

MOST_KNOWN = 50
"""Of one group; older ones are forgotten."""
_GONE = 4
"""So many times less often than remembered, and it is remembered no longer."""


class KnownFailures(NamedTuple):
    """`failed` of `of` requests on legacy, seen until `at` (Unix seconds). `stream`: a route, or "": all together."""

    stream: str
    failed: int
    of: int
    at: int = 0

    @property
    def most(self) -> float:
        """So often it fails at most (Wilson, 99 %)."""
        return wilson(Proportion(self.failed / self.of, self.of))[1]

    @property
    def least(self) -> float:
        """So often it fails at least."""
        return wilson(Proportion(self.failed / self.of, self.of))[0]

    @property
    def says(self) -> str:
        """In words."""
        return f"{self.stream or 'all routes together'} ({self.failed} of {self.of} requests)"


class _Doubt:
    """Of one of them: a card of each side for failing far less often: legacy was ill for a while, or is mended."""

    __slots__ = ("cards", "known")

    def __init__(self, known: KnownFailures) -> None:
        self.known = known
        self.cards = Card(), Card()

    def add(self, tick: Row, seconds: float, rules: BreachRules) -> bool:
        """Adds what ended within these seconds; whether it is to be forgotten."""
        usual, gone = self.known.least, self.known.least / _GONE
        for card, row in zip(self.cards, (tick, tick[2:] + tick[:2]), strict=True):
            card.add(row, usual, gone, seconds, rules.per_second)
        return max(card.score for card in self.cards) >= rules.points


class Memory:
    """What legacy is known to fail in one group, by stream."""

    def __init__(self) -> None:
        self._doubts: dict[str, _Doubt] = {}

    def take(self, known: Iterable[KnownFailures]) -> set[str]:
        """Takes what is known now; of which streams something else was known before."""
        was, told = self._doubts, {one.stream: one for one in known}
        kept = {name: doubt for name, doubt in was.items() if told.get(name) == doubt.known}
        changed = (told.keys() | was.keys()) - kept.keys()
        self._doubts = {name: kept.get(name) or _Doubt(one) for name, one in told.items()}
        return changed

    def of(self, stream: str) -> KnownFailures | None:
        """What is known of a stream."""
        doubt = self._doubts.get(stream)
        return doubt.known if doubt is not None else None

    def all(self) -> tuple[KnownFailures, ...]:
        """Everything."""
        return tuple(doubt.known for doubt in self._doubts.values())

    def gone(self, ticks: Mapping[str, Row], seconds: float, rules: BreachRules) -> tuple[str, ...]:
        """Adds what ended within these seconds; the streams that are seen to fail no more as often."""
        doubts = self._doubts.items()
        return tuple([stream for stream, doubt in doubts if doubt.add(ticks.get(stream, NOTHING), seconds, rules)])


def remembered(
    known: Iterable[KnownFailures], learned: Sequence[KnownFailures], gone: Iterable[str]
) -> tuple[KnownFailures, ...]:
    """What is known now; of too many, the latest."""
    kept = {one.stream: one for one in (*known, *learned)}
    for stream in set(gone) - {one.stream for one in learned}:
        kept.pop(stream, None)
    return tuple(sorted(sorted(kept.values(), key=lambda one: -one.at)[:MOST_KNOWN]))
