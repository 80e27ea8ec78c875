"""Judges every second, by rule 2, whether a group in canary or extracted has to go back (docs/decisions/gates.md).

It only judges. Who drives the migration asks it once a second, and acts:

    judgements = await sentinel.look(seconds)     # by movable, seconds since the last look
    judgements["items"].advice                    # Advice.OK, PROBE or ROLLBACK
    judgements["items"].says, .to_json()          # one sentence; the numbers, for the journal and the page
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from strangler_gateway.cluster.record import plan_state
from strangler_gateway.evidence.cards import NOTHING
from strangler_gateway.evidence.group_cards import GroupCards, GroupJudgement
from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.evidence.ticks import GroupTicks, Told
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.saved.saved_file import SavedFile
from strangler_gateway.table.routes import BreachRules, MigrationState, RouteTable
from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)

Forget = Mapping[str, Sequence[str] | None]
"""By movable, routes at score 0: who has failed there counts again. None: all, the judge begins anew."""
CountAgain = Callable[[Mapping[str, Sequence[str]]], None]
"""Takes, by movable, the routes on which everybody counts again."""
ALONE = ""
"""The name of the only gateway."""
_ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


class WatchedGroup(NamedTuple):
    """A movable in canary or extracted that has a plan: without one nothing is automatic."""

    routes: Sequence[str]
    """Those that have a new end."""
    rules: BreachRules
    known: Sequence[KnownFailures] = ()
    """What legacy was seen to fail as well."""


_WATCHED = (MigrationState.CANARY, MigrationState.EXTRACTED)


def watched(table: RouteTable) -> dict[str, WatchedGroup]:
    """Movables in canary or extracted with a plan and a route that has a new end."""
    found: dict[str, WatchedGroup] = {}
    for route in table.routes:
        unit = route.movable
        if unit.state in _WATCHED and unit.plan is not None and route.has_new_end:
            known = found.setdefault(unit.name, WatchedGroup([], unit.gate.breach))
            found[unit.name] = known._replace(routes=[*known.routes, route.id])
    return found


def with_known(
    found: Mapping[str, WatchedGroup], standings: Mapping[str, Standing], now: float
) -> dict[str, WatchedGroup]:
    """The same with what is in the records, and not too old at `now` (Unix seconds)."""
    return {
        unit: group._replace(
            known=[one for one in plan_state(standings[unit].record).known if now - one.at < group.rules.remember_s]
        )
        for unit, group in found.items()
    }


class FailureSource(Protocol):
    """Where the counts come from."""

    async def of(self, forget: Forget) -> Mapping[str, Mapping[str, Told]]:
        """By gateway and movable, what has been counted of these movables. A gateway that is away is left out."""
        ...


class OwnFailures:
    """Of this gateway. `count_again` tells every process whose users who have failed count again."""

    def __init__(self, stats: Stats, count_again: CountAgain) -> None:
        self._stats, self._count_again = stats, count_again

    async def of(self, forget: Forget) -> Mapping[str, Mapping[str, Told]]:
        """The only row."""
        return {ALONE: self.tell(forget)}

    def tell(self, forget: Forget) -> dict[str, Told]:
        """By movable that is counted here. Workers have told what they counted until a quarter of a second ago."""
        again = {unit: found for unit, routes in forget.items() if (found := self._stats.forget(unit, routes))}
        if again:
            self._count_again(again)
        told = {unit: self._stats.first_failures(unit) for unit in forget}
        return {unit: one for unit, one in told.items() if one is not None}


class Sentinel:
    """`watched`: by name, every movable that is judged."""

    def __init__(self, source: FailureSource, watched: Callable[[], Mapping[str, WatchedGroup]]) -> None:
        self._source, self.watched = source, watched
        self._cards: dict[str, GroupCards] = {}
        self._ticks: dict[str, GroupTicks] = {}
        self.judgements: Mapping[str, GroupJudgement] = {}
        """By movable, of the last look."""

    async def look(self, seconds: float) -> Mapping[str, GroupJudgement]:
        """Judges all movables by what ended in these `seconds`, those since the last look."""
        watched = self.watched()
        self._keep(watched)
        if not watched:
            self.judgements = {}
            return self.judgements
        told = await self._source.of({unit: self._forget(unit) for unit in watched})
        judgements = {unit: self._judge(unit, group, told, seconds) for unit, group in watched.items()}
        self.judgements = judgements
        return judgements

    def begin_anew(self) -> None:
        """Another gateway has judged meanwhile: what is known here is old."""
        self._cards, self._ticks, self.judgements = {}, {}, {}

    def forget(self, unit: str) -> None:
        """Nobody gets the new side of the movable any more: what it did counts no longer when it comes back."""
        self._cards.pop(unit, None)
        self._ticks.pop(unit, None)

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {unit: cards.snapshot() for unit, cards in self._cards.items()}

    def restore(self, saved: Mapping[str, Any], seconds: float) -> None:
        """Continues from a snapshot that is so old. Raises what `GroupCards.restored` does, and then does nothing."""
        cards = {str(unit): GroupCards.restored(one) for unit, one in saved.items()}
        for one in cards.values():
            one.skip(seconds)
        self._cards = cards

    def _keep(self, watched: Mapping[str, WatchedGroup]) -> None:
        """A movable that is watched no more begins anew when it comes back."""
        self._cards = {unit: self._cards.get(unit) or GroupCards() for unit in watched}
        self._ticks = {unit: ticks for unit, ticks in self._ticks.items() if unit in watched}

    def _forget(self, unit: str) -> list[str] | None:
        """Routes at score 0 on which users have failed; None: this is the first look at the movable."""
        if unit in self._ticks:
            return self._ticks[unit].forget(self._cards[unit].calm())
        self._ticks[unit] = GroupTicks()
        return None

    def _judge(
        self, unit: str, group: WatchedGroup, told: Mapping[str, Mapping[str, Told]], seconds: float
    ) -> GroupJudgement:
        ticks, cards = self._ticks[unit], self._cards[unit]
        counted = {}
        try:
            counted = ticks.take({gateway: rows[unit] for gateway, rows in told.items() if unit in rows})
        except _ODD as exc:
            log.warning("the failures of %s cannot be read: %s %s", unit, type(exc).__name__, exc)
        rows = {route: counted.get(route, NOTHING) for route in group.routes}
        return cards.tick(rows, seconds, group.rules, group.known)


def sentinel_file(folder: Path, sentinel: Sentinel, clock: Callable[[], float]) -> SavedFile:
    """The file `sentinel.json`: the cards, and when they were written."""

    def restore(saved: Any) -> None:
        try:
            sentinel.restore(saved["cards"], max(clock() - float(saved["at"]), 0.0))
        except AttributeError as exc:
            raise TypeError(f"it is not what this gateway writes: {exc}") from exc

    def snapshot() -> object:
        cards = sentinel.snapshot()
        return {"at": clock() if cards else 0.0, "cards": cards}

    return SavedFile(folder / "sentinel.json", snapshot, restore, "failures are judged anew")
