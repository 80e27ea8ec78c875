"""The parts of a page that follow by themselves, as HTML by element: those that the page was first rendered with."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from strangler_gateway.admin import plan_views
from strangler_gateway.page.live.stream import Parts, Topic
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.texts import element
from strangler_gateway.page.views import group, overview

EVIDENCE_S = 3.0
"""So long evidence counts as fresh: it is asked of all gateways."""
EVIDENCE_WITHIN_S = 5.0
FORGOTTEN_S = 60.0


class _GroupKnown(NamedTuple):
    at: float
    version: int
    evidence: Mapping[str, Any]
    plan: Mapping[str, Any] | None


class Following:
    """`produce` gives what changes. A row whose values are the same is not rendered again."""

    def __init__(self, parts: PageParts, clock: Callable[[], float]) -> None:
        self._parts, self._clock = parts, clock
        self._rows: dict[str, tuple[Mapping[str, Any], str]] = {}
        self._evidence: dict[str, _GroupKnown] = {}

    async def produce(self, topic: Topic) -> Parts:
        """By id of the element; nothing for a group that is gone."""
        kind, name = topic
        if kind == "overview":
            found = self._overview()
        else:
            found = await self._group(name) if name in self._parts.migration.served.movables else {}
        return {key: str(html) for key, html in found.items()}  # jinja's own texts would escape what is put in them

    def _overview(self) -> Parts:
        parts, ui = self._parts, self._ui
        view = parts.desk.overview.known()
        shown = {"problems": ui.problems(view["problems"]), "totals": ui.totals(view["totals"], view["states"])}
        rows = {one["name"]: one for one in view["groups"]}
        self._rows = {name: self._row(name, overview.shown(one)) for name, one in rows.items()}
        return shown | {f"g-{element(name)}": html for name, (_, html) in self._rows.items()}

    def _row(self, name: str, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        known = self._rows.get(name)
        return known if known is not None and known[0] == values else (values, str(self._ui.row(values)))

    async def _group(self, name: str) -> Parts:
        parts, ui = self._parts, self._ui
        movable = parts.migration.served.movables[name]
        view = group.group(parts.migration, movable, parts.stats, parts.recent)
        known = await self._known(name)
        shown = {
            "standing": ui.standing(view),
            "next": ui.next(view),
            "journal": ui.journal_body(view["journal"]),
        }
        if known is not None:
            shown |= {"plan": ui.plan(known.plan), "rules": ui.rules(known.evidence)}
        return shown | {f"r-{element(one['id'])}": ui.route(one) for one in view["routes"]}

    async def _known(self, name: str) -> _GroupKnown | None:
        """After a move, and every few seconds, anew; what was known before, or None, if it takes too long."""
        now, version = self._clock(), self._parts.migration.swaps
        known = self._evidence.get(name)
        if known is None or known.version != version or now - known.at >= EVIDENCE_S:
            try:
                async with asyncio.timeout(EVIDENCE_WITHIN_S):
                    evidence, plan = await self._parts.desk.reports.evidence(name), await plan_of(self._parts, name)
            except TimeoutError:
                return known
            known = _GroupKnown(now, version, evidence, plan)
            fresh = {unit: one for unit, one in self._evidence.items() if now - one.at < FORGOTTEN_S}
            self._evidence = {**fresh, name: known}
        return known

    @property
    def _ui(self) -> Any:
        return self._parts.templates.get_template("parts.html").module


async def plan_of(parts: PageParts, name: str) -> Mapping[str, Any] | None:
    """Where the plan of a movable stands; None: it has none."""
    plans = parts.desk.parts.plans
    report = await plans.report(name) if plans is not None else None
    return plan_views.plan(report) if report is not None else None
