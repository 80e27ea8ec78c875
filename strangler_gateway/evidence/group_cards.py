"""Rule 2 for a group: the cards of each route and those of all of them together. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from strangler_gateway.evidence.cards import NOTHING, RULES, Advice, Cards, Judgement, Row, added
from strangler_gateway.evidence.known_failures import KnownFailures, Memory
from strangler_gateway.table.routes import BreachRules

POOL = ""
"""The stream of all routes of a group."""
_MOST_ROUTES = 3


class GroupJudgement(NamedTuple):
    """Of a group at one tick. `route`: whose cards say so; None: those of all routes together."""

    advice: Advice
    route: str | None
    found: Judgement
    worst: tuple[tuple[str, Row], ...] = ()
    """Routes with failures on the new side since their score was last 0, the worst first."""
    full: float = RULES.points
    """At so many points the card is full."""
    known: tuple[KnownFailures, ...] = ()
    """What legacy is known to fail."""
    learned: tuple[KnownFailures, ...] = ()
    """What legacy is shown to fail as often as the new side; `at` is not known here."""
    undecided: bool = False
    """There is or was a full card, and nobody can tell yet whether legacy fails as often."""
    gone: tuple[str, ...] = ()
    """Streams of `known` that fail no more as often."""

    @property
    def says(self) -> str:
        """One sentence: what was seen, and what follows."""
        failed_new, new, failed_legacy, legacy = self.found.seen
        if self.advice is Advice.OK:
            return f"no sign of a break: {self.found.score:.1f} of {self.full:g} points{self._except_known}"
        routes = ", ".join(f"{route} {row[0]}" for route, row in self.worst[:_MOST_ROUTES])
        seen = f"{failed_new} of {new} requests to the new side failed within {self.found.seconds:.0f} s"
        seen += f" ({routes})" if routes else ""
        if self.advice is Advice.ROLLBACK:
            return f"{seen}, {failed_legacy} of {legacy} on legacy in the same time"
        if self.found.as_often:
            return f"{seen}, and legacy fails as often: {failed_legacy} of {legacy} in the same time"
        if not legacy:
            return f"{seen}, and legacy had no request in the same time to compare with: lower the share to 50 %"
        return (
            f"{seen}, but {failed_legacy} of {legacy} on legacy do not show that it is better there: "
            "lower the share to 50 % to tell"
        )

    @property
    def _except_known(self) -> str:
        if not self.known:
            return ""
        return f"; what legacy was seen to fail as well is no break: {listed(self.known)}"

    def to_json(self) -> dict[str, Any]:
        """The numbers; parts and not per cent."""
        failed_new, new, failed_legacy, legacy = self.found.seen
        return {
            "advice": self.advice,
            "route": self.route,
            "score": round(self.found.score, 3),
            "full": self.full,
            "expected": round(self.found.expected, 5),
            "seconds": round(self.found.seconds, 3),
            "extracted": {"failed": failed_new, "of": new},
            "legacy": {"failed": failed_legacy, "of": legacy},
            "routes": {route: {"failed": row[0], "of": row[1]} for route, row in self.worst},
            "known": {one.stream: {"failed": one.failed, "of": one.of, "at": round(one.at)} for one in self.known},
            "says": self.says,
        }


def listed(known: Sequence[KnownFailures]) -> str:
    """The first of them in words."""
    more = f" and {len(known) - _MOST_ROUTES} more" if len(known) > _MOST_ROUTES else ""
    return ", ".join(one.says for one in known[:_MOST_ROUTES]) + more


class GroupCards:
    """Cards by stream: by route, and by POOL those of all routes together."""

    def __init__(self, streams: Mapping[str, Cards] | None = None) -> None:
        self._streams = {POOL: Cards.empty(), **(streams or {})}
        self._memory = Memory()

    def tick(
        self, rows: Mapping[str, Row], seconds: float, rules: BreachRules = RULES, known: Iterable[KnownFailures] = ()
    ) -> GroupJudgement:
        """Adds what ended within these seconds on every route of the group (zeros where nothing did), and judges.

        `known`: these routes fail on legacy, too. They are compared with that, and the pool leaves them out.
        """
        self._keep(rows)
        self._learn(known)
        ticks = {POOL: self._pooled(rows), **rows}
        for stream, row in ticks.items():
            self._streams[stream].legacy.add(row[2], row[3], seconds)
        usual = self._expected(POOL)
        found = {
            stream: self._streams[stream].tick(
                row, max(usual, self._expected(stream)), seconds, rules, known=self._memory.of(stream) is not None
            )
            for stream, row in ticks.items()
        }
        gone = self._memory.gone(ticks, seconds, rules)
        return _strongest(found)._replace(full=rules.points, known=self._memory.all(), gone=gone)

    def _learn(self, known: Iterable[KnownFailures]) -> None:
        """Cards of which something else is known begin anew; so do the pool's, which held the same failures."""
        if changed := self._memory.take(known):
            for stream in {POOL, *changed} & self._streams.keys():
                self._streams[stream].begin_anew()

    def _pooled(self, rows: Mapping[str, Row]) -> Row:
        pool = NOTHING
        for route, row in rows.items():
            if self._memory.of(route) is None:
                pool = added(pool, row)
        return pool

    def _expected(self, stream: str) -> float:
        known, seen = self._memory.of(stream), self._streams[stream].legacy.expected()
        return max(known.most, seen) if known is not None else seen

    def calm(self) -> list[str]:
        """Routes whose users who have failed may count again."""
        if not self._streams[POOL].calm:
            return []
        return [route for route, cards in self._streams.items() if route != POOL and cards.calm]

    def skip(self, seconds: float) -> None:
        """So long nobody counted."""
        for cards in self._streams.values():
            cards.legacy.skip(seconds)

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {stream: cards.snapshot() for stream, cards in self._streams.items()}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "GroupCards":
        """Continues from a snapshot. Raises LookupError, TypeError, ValueError, AttributeError."""
        return cls({str(stream): Cards.restored(one) for stream, one in saved.items()})

    def _keep(self, routes: Iterable[str]) -> None:
        known = self._streams
        self._streams = {POOL: known[POOL], **{route: known.get(route) or Cards.empty() for route in routes}}


def _strongest(found: Mapping[str, Judgement]) -> GroupJudgement:
    """That of all routes together, unless one route alone says more."""
    together, alone = found[POOL], {route: one for route, one in found.items() if route != POOL}
    worst = tuple(sorted(((route, one.seen) for route, one in alone.items() if one.seen[0]), key=_by_failures))
    route, strongest = max(alone.items(), key=_strength, default=("", together))
    if _RANKS[strongest.advice] > _RANKS[together.advice]:
        judgement = GroupJudgement(strongest.advice, route, strongest, worst)
    else:
        judgement = GroupJudgement(together.advice, None, together, worst)
    trials = _trials(found)
    learned = tuple(KnownFailures(name, *trial[2:]) for name, trial in trials.items() if found[name].as_often)
    return judgement._replace(learned=learned, undecided=len(learned) < len(trials))


def _trials(found: Mapping[str, Judgement]) -> dict[str, Row]:
    """Those of routes; that of the pool only where no route alone is to blame."""
    trials = {stream: one.trial for stream, one in found.items() if one.trial is not None}
    return {route: trial for route, trial in trials.items() if route != POOL} or trials


def _strength(one: tuple[str, Judgement]) -> tuple[int, float]:
    return _RANKS[one[1].advice], one[1].score


def _by_failures(one: tuple[str, Row]) -> tuple[int, int]:
    _, (failed_new, new, _, _) = one
    return -failed_new, new


_RANKS = {advice: rank for rank, advice in enumerate(Advice)}
