"""Both sides over one set of stores, started once for all suites: on SQLite, and on the real parts."""

from collections.abc import Iterator

import pytest

from tests.parity.sides import Sides, running_sides
from tests.support.stores import EVERYWHERE


@pytest.fixture(scope="session", params=EVERYWHERE)
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with running_sides(request.param(tmp_path_factory.mktemp("production")), "production") as running:
        yield running


@pytest.fixture(scope="session", params=EVERYWHERE)
def sides_in_development(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with running_sides(request.param(tmp_path_factory.mktemp("development")), "development") as running:
        yield running
