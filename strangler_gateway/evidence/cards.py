"""Rule 2, for one stream of requests: has the new side broken? Two CUSUM cards against what fails on legacy. Pure.

Each user who fails on the new side adds points, successes take points away. At 16 points the card is full; if legacy
fails less than half as often in the same period, the answer is ROLLBACK, else PROBE (docs/decisions/gates.md).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from strangler_gateway.evidence.legacy_windows import LegacyWindows
from strangler_gateway.table.routes import BreachRules

Row = tuple[int, int, int, int]
"""Failures and requests of the new side, then of legacy."""
MOST = 40.0
"""Points that a card keeps at most."""
RULES = BreachRules()
_SURE = 0.99
NOTHING: Row = (0, 0, 0, 0)


class Advice(StrEnum):
    """What the evidence says about staying where the group is; the last is the strongest."""

    OK = "ok"
    PROBE = "probe"
    """The new side fails, and legacy cannot be compared, or fails as well: lower the share to 50 % for a moment."""
    ROLLBACK = "rollback"


class Judgement(NamedTuple):
    """Of one stream at one tick. `seen`, `seconds`: since the score of the card was last 0."""

    advice: Advice
    score: float
    expected: float
    """The part of the requests that may fail anyway (p0)."""
    seen: Row
    seconds: float


class Card:
    """A CUSUM: `score` points, and what was seen in `seconds` since it was last 0."""

    __slots__ = ("score", "seconds", "seen")

    def __init__(self, score: float = 0.0, seen: Row = NOTHING, seconds: float = 0.0) -> None:
        self.score, self.seen, self.seconds = score, seen, seconds

    def add(self, tick: Row, expected: float, bad: float, seconds: float, per_second: float = RULES.per_second) -> None:
        """Adds what ended within these seconds. `expected`, `bad`: parts that fail if it is well, and if it is not."""
        failed, requests = tick[:2]
        if requests:
            points = failed * math.log(bad / expected) + (requests - failed) * math.log((1 - bad) / (1 - expected))
            self.score += min(1.0, per_second * seconds / requests) * points
        if self.score <= 0:
            self.score, self.seen, self.seconds = 0.0, NOTHING, 0.0
            return
        self.score, self.seconds = min(self.score, MOST), self.seconds + seconds
        self.seen = added(self.seen, tick)

    def snapshot(self) -> list[Any]:
        """As JSON-able values."""
        return [round(self.score, 6), list(self.seen), round(self.seconds, 3)]

    @classmethod
    def restored(cls, saved: Any) -> "Card":
        """Continues from a snapshot. Raises TypeError, ValueError."""
        score, (failed_new, new, failed_legacy, legacy), seconds = saved
        seen = int(failed_new), int(new), int(failed_legacy), int(legacy)
        return cls(min(max(float(score), 0.0), MOST), seen, float(seconds))


@dataclass(slots=True)
class Cards:
    """Of one stream: a hard card, a soft card, and the last ten minutes of legacy."""

    hard: Card
    soft: Card
    legacy: LegacyWindows

    @classmethod
    def empty(cls) -> "Cards":
        """Of a stream of which nothing is known."""
        return cls(Card(), Card(), LegacyWindows())

    def tick(self, tick: Row, expected: float, seconds: float, rules: BreachRules = RULES) -> Judgement:
        """Adds what ended within these seconds, and judges. The windows must have it already."""
        self.hard.add(tick, expected, hard(rules, expected), seconds, rules.per_second)
        self.soft.add(tick, expected, min(expected + rules.above, _SURE), seconds, rules.per_second)
        first, second = (self.hard, self.soft) if self.hard.score >= self.soft.score else (self.soft, self.hard)
        advice, card = judged(first, rules), first
        if advice is Advice.PROBE and judged(second, rules) is Advice.ROLLBACK:
            advice, card = Advice.ROLLBACK, second
        return Judgement(advice, card.score, expected, card.seen, card.seconds)

    @property
    def calm(self) -> bool:
        """Both scores are 0: users who have failed may count again."""
        return not self.hard.score and not self.soft.score

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {"hard": self.hard.snapshot(), "soft": self.soft.snapshot(), "legacy": self.legacy.snapshot()}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Cards":
        """Continues from a snapshot. Raises LookupError, TypeError, ValueError."""
        windows = LegacyWindows.restored(saved["legacy"])
        return cls(Card.restored(saved["hard"]), Card.restored(saved["soft"]), windows)


def hard(rules: BreachRules, expected: float) -> float:
    """The part that fails on a broken side, as the hard card expects it."""
    return min(max(rules.hard, expected + rules.above), _SURE)


def judged(card: Card, rules: BreachRules) -> Advice:
    """Of one card."""
    if card.score < rules.points:
        return Advice.OK
    failed_new, new, failed_legacy, legacy = card.seen
    better = failed_new / new >= rules.times * (failed_legacy + 5) / (legacy + 5) + rules.margin
    return Advice.ROLLBACK if better else Advice.PROBE


def added(one: Row, other: Row) -> Row:
    """The sum."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]
