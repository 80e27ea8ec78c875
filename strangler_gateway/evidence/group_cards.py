"""Rule 2 for a group: the cards of each route and those of all of them together. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from strangler_gateway.evidence.cards import NOTHING, RULES, Advice, Cards, Judgement, Row, added
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

    @property
    def says(self) -> str:
        """One sentence: what was seen, and what follows."""
        failed_new, new, failed_legacy, legacy = self.found.seen
        if self.advice is Advice.OK:
            return f"no sign of a break: {self.found.score:.1f} of {self.full:g} points"
        routes = ", ".join(f"{route} {row[0]}" for route, row in self.worst[:_MOST_ROUTES])
        seen = f"{failed_new} of {new} requests to the new side failed within {self.found.seconds:.0f} s ({routes})"
        if self.advice is Advice.ROLLBACK:
            return f"{seen}, {failed_legacy} of {legacy} on legacy in the same time"
        if not legacy:
            return f"{seen}, and legacy had no request in the same time to compare with: lower the share to 50 %"
        return (
            f"{seen}, but {failed_legacy} of {legacy} on legacy do not show that it is better there: "
            "lower the share to 50 % to tell"
        )

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
            "says": self.says,
        }


class GroupCards:
    """Cards by stream: by route, and by POOL those of all routes together."""

    def __init__(self, streams: Mapping[str, Cards] | None = None) -> None:
        self._streams = {POOL: Cards.empty(), **(streams or {})}

    def tick(self, rows: Mapping[str, Row], seconds: float, rules: BreachRules = RULES) -> GroupJudgement:
        """Adds what ended within these seconds on every route of the group (zeros where nothing did), and judges."""
        self._keep(rows)
        pool = NOTHING
        for route, row in rows.items():
            self._streams[route].legacy.add(row[2], row[3], seconds)
            pool = added(pool, row)
        whole = self._streams[POOL]
        whole.legacy.add(pool[2], pool[3], seconds)
        expected = whole.legacy.expected()
        together = whole.tick(pool, expected, seconds, rules)
        alone = {
            route: cards.tick(row, max(cards.legacy.expected(), expected), seconds, rules)
            for route, row in rows.items()
            for cards in (self._streams[route],)
        }
        return _strongest(together, alone)._replace(full=rules.points)

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


def _strongest(together: Judgement, alone: Mapping[str, Judgement]) -> GroupJudgement:
    """That of all routes together, unless one route alone says more."""
    worst = tuple(sorted(((route, one.seen) for route, one in alone.items() if one.seen[0]), key=_by_failures))
    route, found = max(alone.items(), key=_strength, default=("", together))
    if _RANKS[found.advice] > _RANKS[together.advice]:
        return GroupJudgement(found.advice, route, found, worst)
    return GroupJudgement(together.advice, None, together, worst)


def _strength(one: tuple[str, Judgement]) -> tuple[int, float]:
    return _RANKS[one[1].advice], one[1].score


def _by_failures(one: tuple[str, Row]) -> tuple[int, int]:
    _, (failed_new, new, _, _) = one
    return -failed_new, new


_RANKS = {advice: rank for rank, advice in enumerate(Advice)}
