"""Several gateways: one drives, any takes over, none makes a step twice, and without the store nothing moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.migration import follow
from strangler_gateway.migration.around import SharedControl
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.plans.plans import Wish
from tests.support.gateway.migrating import LEGACY, ROUTES, SHADOW, World, canary
from tests.support.gateway.planned import Driven, planned
from tests.support.gateway.shared_store import AWAY, Connection, Shared
from tests.unit.strangler_gateway.migration.test_shared_migration import until

PLAN = "auto: true, steps: [shadow 1m, canary 10%]"


@dataclass
class Pair:
    """Gateways `a` and `b` on one store, each with a driver."""

    shared: Shared
    driven: dict[str, Driven] = field(default_factory=dict)
    links: dict[str, Connection] = field(default_factory=dict)

    async def go_on(self, seconds: float) -> None:
        for _ in range(int(seconds / 5)):
            for one in self.driven.values():
                await one.go_on(5)

    def steps(self) -> list[str]:
        """Who has made which."""
        return [
            f"{name}: {entry.after}"
            for name, one in self.driven.items()
            for entry in one.world.journal()
            if entry.event is JournalEvent.FLIP
        ]


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(follow, "RETRY_S", 0.01)
    pair = Pair(Shared(driver="a"))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        world.path.write_text(ROUTES)
        world.edit(*planned(PLAN))
        link = pair.links[name] = Connection(name, pair.shared)
        migration = await world.started(shared=SharedControl(link, link, name))
        pair.driven[name] = Driven(world, migration)
    await pair.driven["a"].migration.adopt("items", who="ada")
    await until(lambda: "b" in pair.shared.reports and pair.shared.reports["a"] == pair.shared.reports["b"])
    yield pair
    for one in pair.driven.values():
        await one.world.aclose()


async def agreed(pair: Pair) -> None:
    a, b = (one.migration for one in pair.driven.values())
    await until(lambda: a.standings["items"].record == b.standings["items"].record)
    await until(lambda: pair.shared.reports["a"].get("items") == pair.shared.reports["b"].get("items"))


async def test_the_holder_of_the_lease_drives_and_the_other_one_takes_over(pair: Pair) -> None:
    await pair.go_on(30)
    await agreed(pair)
    assert pair.steps() == ["a: shadow"]
    assert pair.driven["b"].driver.problem == "another gateway makes the moves"
    await pair.go_on(30)
    pair.shared.driver = "b"
    pair.driven["b"].world.compared()
    await pair.go_on(30)
    await agreed(pair)
    assert pair.steps() == ["a: shadow", "b: canary 10 %"]
    assert pair.driven["a"].position() == canary(10)
    assert pair.driven["b"].driver.problem is None


async def test_a_pause_at_one_gateway_stops_the_driver_at_the_other(pair: Pair) -> None:
    assert (await pair.driven["b"].plans.pause("items", Wish("bob", "bob"))).done
    await pair.go_on(60)
    assert pair.driven["a"].position() == LEGACY
    assert (await pair.driven["b"].plans.resume("items", Wish("bob", "bob"))).done
    await agreed(pair)
    await pair.go_on(10)
    assert pair.driven["a"].position() == SHADOW


async def test_what_a_probe_has_shown_is_known_to_every_driver(pair: Pair) -> None:
    known = (KnownFailures("item-read", 7, 7, 1_000_000),)
    await pair.driven["a"].migration.plan("items", lambda plan: replace(plan, known=known), who="plan", why="t")
    await agreed(pair)
    assert [one for one, _ in pair.driven["b"].here.standing("items").known] == [*known]


async def test_without_the_store_nothing_moves_and_the_plan_says_so(pair: Pair) -> None:
    pair.links["a"].cut = True
    await pair.go_on(60)
    assert pair.driven["a"].position() == LEGACY
    assert pair.driven["a"].driver.problem == f"nothing moves by itself: {AWAY}"
