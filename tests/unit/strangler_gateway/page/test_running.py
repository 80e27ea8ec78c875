"""What runs beside the page: its faults are its own."""

import asyncio

import pytest

from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.page import app
from strangler_gateway.page.app import OperatorsPage
from tests.support.gateway.administered import settings, shown
from tests.support.gateway.migrating import World


async def test_a_fault_of_the_page_is_logged_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app, "AGAIN_S", 0.001)
    migration = await world.started()
    desk = AdminDesk(shown(world, settings()), migration)
    begun: list[int] = []

    async def run() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise TimeoutError("evidence takes too long")
        await asyncio.Event().wait()

    monkeypatch.setattr(desk.sampler, "run", run)
    running = asyncio.create_task(OperatorsPage(desk).run())
    async with asyncio.timeout(60):
        while len(begun) < 3:
            await asyncio.sleep(0.001)
    assert not running.done()
    assert caplog.text.count("the samples of the operators' page have failed") == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
