"""A world of sessions a test, on either kind of database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import ON_THE_MONOLITHS_TABLES
from tests.unit.extracted.account.sessions.world import SessionWorld, opened


@pytest.fixture(params=ON_THE_MONOLITHS_TABLES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionWorld]:
    data = MonolithData(request.param(tmp_path))
    async with opened(data) as world:
        yield world
    data.close()
