"""Starts a service and the stand-in monolith over the same or equal data, on SQLite and on the real parts."""

from collections.abc import Iterator

import pytest

from tests.parity.account.signing import Signing
from tests.parity.account.teaming import Teaming
from tests.parity.account.twins import Twins, running_twins
from tests.parity.learning.lessons import Lessons, running_lessons
from tests.parity.sides import Sides, running_sides
from tests.support.stores import EVERYWHERE

Folders = pytest.TempPathFactory
IN_DEVELOPMENT = EVERYWHERE[:1]
"""On SQLite alone: the mode changes how a refusal is told, before any store is asked."""


@pytest.fixture(scope="session", params=EVERYWHERE)
def sides(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Sides]:
    with running_sides(request.param(tmp_path_factory.mktemp("production")), "production") as running:
        yield running


@pytest.fixture(scope="session", params=IN_DEVELOPMENT)
def sides_in_development(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Sides]:
    with running_sides(request.param(tmp_path_factory.mktemp("development")), "development") as running:
        yield running


@pytest.fixture(scope="session", params=EVERYWHERE)
def lessons(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Lessons]:
    with running_lessons(request.param(tmp_path_factory.mktemp("lessons"))) as running:
        yield running


@pytest.fixture(scope="module", params=IN_DEVELOPMENT)
def lessons_in_development(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Lessons]:
    with running_lessons(request.param(tmp_path_factory.mktemp("lessons")), "development") as running:
        yield running


@pytest.fixture(scope="module", params=EVERYWHERE)
def twins(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Twins]:
    with running_twins(Twins, tmp_path_factory.mktemp("twins"), "production", request.param) as running:
        yield running


@pytest.fixture(scope="module", params=IN_DEVELOPMENT)
def twins_in_development(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Twins]:
    with running_twins(Twins, tmp_path_factory.mktemp("twins"), "development", request.param) as running:
        yield running


@pytest.fixture(scope="module", params=EVERYWHERE)
def signing(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Signing]:
    with running_twins(Signing, tmp_path_factory.mktemp("signing"), "production", request.param) as running:
        yield running


@pytest.fixture(scope="module", params=IN_DEVELOPMENT)
def signing_in_development(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Signing]:
    with running_twins(Signing, tmp_path_factory.mktemp("signing"), "development", request.param) as running:
        yield running


@pytest.fixture(scope="module", params=EVERYWHERE)
def teams(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Teaming]:
    with running_twins(Teaming, tmp_path_factory.mktemp("teams"), "production", request.param) as running:
        yield running.with_actors()


@pytest.fixture(scope="module", params=IN_DEVELOPMENT)
def teams_in_development(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Teaming]:
    with running_twins(Teaming, tmp_path_factory.mktemp("teams"), "development", request.param) as running:
        yield running.with_actors()
