"""A database of the monolith a test, and the gateway's keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import ON_THE_MONOLITHS_TABLES
from tests.unit.extracted.running import Gateway


@pytest.fixture(params=ON_THE_MONOLITHS_TABLES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MonolithData]:
    data = MonolithData(request.param(tmp_path))
    yield data
    data.close()


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    keys = Gateway()
    yield keys
    keys.close()
