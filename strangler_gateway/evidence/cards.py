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
ERROR = 0.01
"""So often a legacy that is better is taken for one that fails as often as the new side."""
NEARLY_ALL = 0.9
"""Where so many requests may fail, nothing that is worse can be told."""
RULES = BreachRules()
_SURE = 0.99
_ENOUGH, _LEAST = math.log(1 / ERROR), 0.001
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
    trial: Row | None = None
    """What was seen since the card was full, and before while its score was not 0; None: no question is open."""
    as_often: bool = False
    """The trial shows that legacy fails as often, so that a rollback would not help."""


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
    trial: Row | None = None
    """Begins with a full card; ends when legacy is shown to fail as often, or not to and the scores are back at 0."""

    @classmethod
    def empty(cls) -> "Cards":
        """Of a stream of which nothing is known."""
        return cls(Card(), Card(), LegacyWindows())

    def tick(
        self, tick: Row, expected: float, seconds: float, rules: BreachRules = RULES, *, known: bool = False
    ) -> Judgement:
        """Adds what ended within these seconds, and judges. The windows must have it already.

        `known`: `expected` is what legacy was seen to fail, so it may be any part.
        """
        if expected > NEARLY_ALL:
            self.begin_anew()
            return Judgement(Advice.OK, 0.0, expected, NOTHING, 0.0)
        self.hard.add(tick, expected, hard(rules, expected), seconds, rules.per_second)
        self.soft.add(tick, expected, min(expected + rules.above, _SURE), seconds, rules.per_second)
        first, second = (self.hard, self.soft) if self.hard.score >= self.soft.score else (self.soft, self.hard)
        advice, card = judged(first, rules, known), first
        if advice is Advice.PROBE and judged(second, rules, known) is Advice.ROLLBACK:
            advice, card = Advice.ROLLBACK, second
        if self.trial is not None:
            self.trial = added(self.trial, tick)
        elif advice is Advice.PROBE:
            self.trial = card.seen
        as_often = fails_as_often(self.trial, rules) if self.trial is not None else False
        if as_often is False and self.calm:
            self.trial = None
        return Judgement(advice, card.score, expected, card.seen, card.seconds, self.trial, as_often is True)

    def begin_anew(self) -> None:
        """Other failures are expected from now on."""
        self.hard, self.soft, self.trial = Card(), Card(), None

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


def judged(card: Card, rules: BreachRules, known: bool = False) -> Advice:
    """Of one card. `known`: see `is_better`."""
    if card.score < rules.points:
        return Advice.OK
    return Advice.ROLLBACK if is_better(card.seen, rules, known) else Advice.PROBE


def is_better(seen: Row, rules: BreachRules, known: bool = False) -> bool:
    """Whether legacy fails so much less often that a rollback helps.

    `known`: legacy is known to fail. "Half as often" may be impossible then, and "works twice as often" counts, too.
    """
    failed_new, new, failed_legacy, legacy = seen
    usual = (failed_legacy + 5) / (legacy + 5)
    bound = rules.times * usual
    if known:
        bound = min(bound, 1 - (1 - usual) / rules.times)
    return failed_new / new >= bound + rules.margin


def fails_as_often(seen: Row, rules: BreachRules) -> bool | None:
    """Whether legacy is shown to fail as often as the new side, or not to; None: nobody can tell yet.

    A sequential test of legacy's requests (Wald 1945): as often, against just so much less often that a rollback helps.
    """
    failed_new, new, failed_legacy, legacy = seen
    same = (failed_new + 0.5) / (new + 1)
    better = max((same - rules.margin) / rules.times, _LEAST)
    if better >= same:
        return False
    points = failed_legacy * math.log(same / better)
    points += (legacy - failed_legacy) * math.log((1 - same) / (1 - better))
    return None if abs(points) < _ENOUGH else points > 0


def added(one: Row, other: Row) -> Row:
    """The sum."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]
