"""Both sides over one database, started once for all suites."""

from collections.abc import Iterator

import pytest

from tests.suites.sides import Sides, running_sides


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with running_sides(tmp_path_factory.mktemp("production") / "monolith.sqlite3", "production") as running:
        yield running


@pytest.fixture(scope="session")
def sides_in_development(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with running_sides(tmp_path_factory.mktemp("development") / "monolith.sqlite3", "development") as running:
        yield running
