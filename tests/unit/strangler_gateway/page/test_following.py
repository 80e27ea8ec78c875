"""What an open page shows now."""

from typing import Any

import pytest

from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.overview.overview import Overview
from strangler_gateway.page.entry.sessions import LoginSessions
from strangler_gateway.page.entry.visitor import Visitors
from strangler_gateway.page.following import DIFFERENCES_S, EVIDENCE_S, Following
from strangler_gateway.page.live.stream import Topic
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.render import templates
from strangler_gateway.page.views import group
from tests.support.gateway.administered import settings, shown
from tests.support.gateway.migrating import World

GROUP = Topic("group", "items")


class OpenPage:
    """Of a gateway whose page's clock a test sets."""

    def __init__(self, desk: AdminDesk) -> None:
        self.now = 1000.0
        parts = PageParts(desk, Visitors(desk.access, LoginSessions(lambda: self.now)), templates())
        self._following = Following(parts, lambda: self.now)

    async def element(self, topic: Topic, name: str) -> str:
        return (await self._following.produce(topic)).elements[name]


@pytest.fixture
async def desk(world: World) -> AdminDesk:
    migration = await world.started()
    return AdminDesk(shown(world, settings()), migration)


def listing(*names: str, driver: str = "gw1") -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"name": name, "admin": "", "this": name == "gw1", "at": None, "lagging": {}} for name in names
    ]
    return {"store": {"address": "consul", "driver": driver}, "gateways": rows, "agreed": True, "problem": None}


async def test_the_list_of_gateways_and_undeclared_traffic_follow(world: World, desk: AdminDesk) -> None:
    known = [listing("gw1")]
    desk.overview = Overview(desk.migration, desk.sampler, lambda: known[-1])
    page = OpenPage(desk)
    assert "gw2" not in await page.element(Topic("overview"), "gateways")
    known.append(listing("gw1", "gw2", driver="gw2"))
    assert "gw2 makes automatic moves" in await page.element(Topic("overview"), "gateways")
    known.append(listing())
    assert "gw1" not in await page.element(Topic("overview"), "gateways")
    world.stats.count_shape("GET /old/{}")
    await desk.sampler.fresh()
    assert "GET /old/{}" in await page.element(Topic("overview"), "undeclared")


async def test_differences_are_asked_for_when_some_were_counted_and_now_and_then(world: World, desk: AdminDesk) -> None:
    page = OpenPage(desk)

    def kept(path: str) -> None:
        seen = {"where": path, "legacy": "number", "extracted": "string"}
        world.examples = {"item-read": [{"at": 1.0, "method": "GET", "path": "/", "differences": [seen], "count": 1}]}

    kept("$.first")
    assert "first" in await page.element(GROUP, "differences")
    kept("$.second")
    page.now += EVIDENCE_S
    assert "first" in await page.element(GROUP, "differences")
    world.compared(different=1)
    await desk.sampler.fresh()
    page.now += EVIDENCE_S
    assert "second" in await page.element(GROUP, "differences")
    kept("$.third")
    page.now += DIFFERENCES_S
    assert "third" in await page.element(GROUP, "differences")


async def test_a_guard_of_another_gateway_is_shown(desk: AdminDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def others(unit: str) -> list[dict[str, Any]]:
        return [{"gateway": "gw2", "until": "2026-12-01T12:00:00Z", "state": "watching", "alarm": None}]

    monkeypatch.setattr(desk.gateways, "guards_of_others", others)
    told = "Watched until 2026-12-01 12:00:00 UTC by the gateway gw2: at an alarm it goes back by itself."
    assert told in await OpenPage(desk).element(GROUP, "standing")


def guard(until: str, state: str, **more: object) -> dict[str, Any]:
    return {"until": until, "state": state, "alarm": None, **more}


@pytest.mark.parametrize(
    ("own", "others", "wanted"),
    [
        (None, [], None),
        (guard("12:00", "over"), [], None),
        (guard("12:00", "watching"), [guard("13:00", "over", gateway="b")], None),
        (guard("13:00", "rolled_back"), [guard("12:00", "watching", gateway="b")], "b"),
        (guard("12:00", "over"), [guard("11:00", "over", gateway="b"), guard("13:00", "over", gateway="c")], "c"),
    ],
)
def test_a_guard_that_watches_is_shown_before_one_that_has_ended(own: Any, others: list[Any], wanted: str) -> None:
    assert (group.guard(own, others) or {}).get("gateway") == wanted
