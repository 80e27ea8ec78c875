"""A database of the monolith a test, of either kind."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chassis.database.database import Database
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import ON_THE_MONOLITHS_TABLES
from tests.unit.legacy_adapter.team_world import TeamWorld, team_world


@pytest.fixture(params=ON_THE_MONOLITHS_TABLES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MonolithData]:
    file = MonolithData(request.param(tmp_path))
    yield file
    file.close()


@pytest.fixture
async def database(file: MonolithData) -> AsyncIterator[Database]:
    database = Database(file.url, timeout_s=30)
    yield database
    await database.aclose()


@pytest.fixture
async def world(file: MonolithData) -> AsyncIterator[TeamWorld]:
    async with team_world(file) as world:
        yield world
