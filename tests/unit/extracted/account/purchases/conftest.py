"""A fresh store for every test, of either kind."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.account.purchases.world import World, opened


@pytest.fixture(params=EVERYWHERE)
def monolith(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MonolithData]:
    data = MonolithData(request.param(tmp_path))
    yield data
    data.close()


@pytest.fixture
async def world(monolith: MonolithData) -> AsyncIterator[World]:
    async with opened(monolith) as world:
        yield world
