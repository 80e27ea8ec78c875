"""The parts of a page that follow by themselves, as HTML by element: those that the page was first rendered with."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from strangler_gateway.admin import plan_views
from strangler_gateway.page.live.live_page import LivePage, LiveTable
from strangler_gateway.page.live.stream import Topic
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.texts import element
from strangler_gateway.page.views import group, overview

View = Mapping[str, Any]

EVIDENCE_S = 3.0
"""So long evidence counts as fresh: it is asked of all gateways."""
EVIDENCE_WITHIN_S = 5.0
FORGOTTEN_S = 60.0
DIFFERENCES_S = 30.0
"""So often differences are asked for even if none was counted: a gateway may have been silent before."""


class _GroupKnown(NamedTuple):
    """What all gateways know of a group; `counted` tells whether its differences have to be asked for again."""

    at: float
    version: object
    evidence: View
    plan: View | None
    guards: Sequence[View]
    counted: Sequence[int]
    differences: Sequence[View]


class Following:
    """`produce` gives what changes. A row whose values are the same is not rendered again."""

    def __init__(self, parts: PageParts, clock: Callable[[], float]) -> None:
        self._parts, self._clock = parts, clock
        self._rows: dict[str, tuple[Mapping[str, Any], str]] = {}
        self._groups: dict[str, _GroupKnown] = {}

    async def produce(self, topic: Topic) -> LivePage:
        """What the page shows now."""
        if topic.kind == "overview":
            return self._overview(topic)
        if topic.unit in self._parts.migration.served.movables:
            return await self._group(topic)
        return _page({"standing": self._parts.ui.gone(topic.unit)})

    def _overview(self, topic: Topic) -> LivePage:
        ui, view = self._parts.ui, self._parts.desk.overview.known()
        shown = {
            "problems": ui.problems(view["problems"]),
            "totals": ui.totals(view["totals"], view["states"]),
            "undeclared": ui.undeclared(view["undeclared"]),
            "gateways": ui.gateways(view["gateways"]),
        }
        self._rows = {one["name"]: self._row(overview.shown(one)) for one in view["groups"]}
        wanted = [one["name"] for one in view["groups"] if overview.is_wanted(one, topic.q, topic.state)]
        rows = {f"g-{element(name)}": self._rows[name][1] for name in wanted}
        return _page(shown, groups=LiveTable(str(ui.groups(map(Markup, rows.values()))), rows))

    def _row(self, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        known = self._rows.get(values["name"])
        return known if known is not None and known[0] == values else (values, str(self._parts.ui.row(values)))

    async def _group(self, topic: Topic) -> LivePage:
        parts, ui, name = self._parts, self._parts.ui, topic.unit
        view = group.group(parts.migration, parts.migration.served.movables[name], parts.stats, parts.recent)
        known = await self._known(name, view["routes"])
        view["guard"] = group.guard(view["guard"], known.guards if known is not None else ())
        shown = {"standing": ui.standing(view), "next": ui.next(view), "journal": ui.journal_body(view["journal"])}
        if topic.acts:
            shown["release"] = ui.release(view)
        if known is not None:
            shown |= {"plan": ui.plan(known.plan), "rules": ui.rules(known.evidence)}
            shown["differences"] = ui.differences(known.differences)
            if topic.acts:
                shown["plan-actions"] = ui.plan_actions(known.plan)
        rows = {f"r-{element(one['id'])}": str(ui.route(one)) for one in view["routes"]}
        return _page(shown, routes=LiveTable(str(ui.routes(view["routes"])), rows))

    async def _known(self, name: str, routes: Sequence[View]) -> _GroupKnown | None:
        """After a move, and every few seconds, anew; what was known before, or None, if it takes too long."""
        migration, now = self._parts.migration, self._clock()
        version, known = (migration.swaps, migration.standings[name]), self._groups.get(name)
        if known is None or known.version != version or now - known.at >= EVIDENCE_S:
            try:
                async with asyncio.timeout(EVIDENCE_WITHIN_S):
                    known = await self._asked(name, routes, version, known)
            except TimeoutError:
                return known
            fresh = {unit: one for unit, one in self._groups.items() if now - one.at < FORGOTTEN_S}
            self._groups = {**fresh, name: known}
        return known

    async def _asked(
        self, name: str, routes: Sequence[View], version: object, before: _GroupKnown | None
    ) -> _GroupKnown:
        desk, now = self._parts.desk, self._clock()
        counted = [int(now // DIFFERENCES_S), *(int(one["shadow"]["different"]) for one in routes)]
        return _GroupKnown(
            now,
            version,
            await desk.reports.evidence(name),
            await plan_of(self._parts, name),
            await desk.gateways.guards_of_others(name),
            counted,
            before.differences
            if before is not None and before.counted == counted
            else await differences_of(self._parts, routes),
        )


def _page(elements: Mapping[str, object], **tables: LiveTable) -> LivePage:
    """Of jinja's own texts, which would escape what is put in them."""
    return LivePage({name: str(html) for name, html in elements.items()}, tables)


async def differences_of(parts: PageParts, routes: Iterable[View]) -> Sequence[View]:
    """What shadow has kept of some routes at all gateways, as a tree."""
    return group.difference_tree([await parts.desk.reports.differences(one["id"]) for one in routes])


async def plan_of(parts: PageParts, name: str) -> Mapping[str, Any] | None:
    """Where the plan of a movable stands; None: it has none."""
    plans = parts.desk.parts.plans
    report = await plans.report(name) if plans is not None else None
    return plan_views.plan(report) if report is not None else None
