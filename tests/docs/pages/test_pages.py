"""What README.md and docs/operating.md tell to type works, in the order in which they tell it."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from examples.demo.clients import Observations
from examples.demo.counters import GroupCounters
from examples.demo.processes import Launcher
from examples.demo.running import PAUSE_S
from examples.demo.system import GROUP, DemoSystem, start
from examples.demo.traffic import client_traffic
from tests.docs.commands import ROOT, boxes, paste
from tests.docs.generated.test_alerts import ALERTED

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.walk]

OPERATING = "docs/operating.md"
PAUSE = "sleep 3\n"
"""What README.md gives to comparisons; they are waited for instead."""
WATCHED = set(re.findall(r"`((?:strangler|account|mailer)_\w+?)(?:_total)?[`{]", (ROOT / OPERATING).read_text()))


@dataclass(frozen=True)
class Running:
    """The system of `make run`, and what its clients have observed."""

    system: DemoSystem
    observed: Observations
    counter: GroupCounters

    async def admin(self, method: str, call: str, **asked: object) -> httpx.Response:
        headers = self.system.credential
        async with httpx.AsyncClient(
            base_url=self.system.admin_url, trust_env=False, headers=headers, timeout=30
        ) as client:
            return (await client.request(method, call, json=asked or None)).raise_for_status()

    async def bring_to_legacy(self) -> None:
        await self.admin("POST", "/rollback", unit=GROUP)
        await self.admin("POST", "/release", unit=GROUP)

    async def bring_to_extracted(self) -> None:
        await self.bring_to_legacy()
        steps: tuple[dict[str, Any], ...] = ({"to": "shadow"}, {"to": "canary", "share": 50}, {"to": "extracted"})
        for step in steps:
            await self.admin("POST", "/flip", unit=GROUP, why="a test", force=True, **step)

    async def states(self) -> set[str]:
        routes = (await self.admin("GET", "/routes")).json()["routes"]
        return {route["state"] for route in routes if route["unit"] == GROUP}

    async def metrics(self) -> set[str]:
        """Names of what gateway and services export, as Prometheus' own parser reads them."""
        pages = [(await self.admin("GET", "/metrics")).text]
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for url in self.system.services.values():
                pages.append((await client.get(f"{url}/metrics")).raise_for_status().text)
        return {family.name for page in pages for family in text_string_to_metric_families(page)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder: Path = tmp_path_factory.mktemp("running")
    observed = Observations()
    async with Launcher() as launcher:
        system = await start(launcher, folder, with_mail=True)
        counting = aclosing(GroupCounters(system, GROUP, observed))
        async with client_traffic(system, observed, PAUSE_S), counting as counter:
            yield Running(system, observed, counter)


async def test_the_tour_works_while_clients_are_calling(running: Running) -> None:
    tour = boxes("README.md")[1:]
    assert len(tour) >= 6
    await running.bring_to_legacy()
    answers = running.observed.answers
    assert sum(PAUSE in box for box in tour) == 1
    for box in tour:
        before, pause, after = box.partition(PAUSE)
        seen = await running.counter.read()
        await paste(before, running.system)
        if pause:
            await running.counter.until(lambda counts: counts.least_compared >= 1 and counts.compared >= 4, seen)
            await paste(after, running.system)
    assert await running.states() == {"legacy"}
    assert running.observed.answers > answers
    assert list(running.observed.examples) == []


async def test_the_page_for_three_in_the_morning_works_on_a_group_that_was_flipped(running: Running) -> None:
    first, *others = boxes(OPERATING)
    assert len(others) >= 8
    await running.bring_to_extracted()
    assert await running.states() == {"extracted"}
    assert first.strip() == f"strangler rollback {GROUP}"
    await paste(first, running.system)
    assert await running.states() == {"legacy"}
    for box in others:
        await paste(box, running.system)
    assert len(WATCHED) > 7
    of_others = ("runner_", "strangler_store_", "strangler_discover")
    elsewhere = {name for name in ALERTED if name.startswith(of_others)} | {"strangler_redis_up"}
    assert (WATCHED | ALERTED) - await running.metrics() == elsewhere  # this system has no runner, Redis or Consul
    assert list(running.observed.examples) == []
