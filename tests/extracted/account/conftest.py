"""One Account and one database for all tests here; each brings users of its own."""

from collections.abc import Iterator

import pytest

from tests.extracted.running import Gateway, RunningService, running_service
from tests.monolith_file import MonolithFile


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="session")
def monolith(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithFile]:
    file = MonolithFile(tmp_path_factory.mktemp("monolith") / "monolith.sqlite3")
    yield file
    file.close()


@pytest.fixture(scope="session")
def account(monolith: MonolithFile, gateway: Gateway) -> Iterator[RunningService]:
    with running_service("account", monolith.url, gateway) as running:
        yield running


@pytest.fixture(scope="session")
def improved(monolith: MonolithFile, gateway: Gateway) -> Iterator[RunningService]:
    with running_service("account", monolith.url, gateway, COMPAT="improved") as running:
        yield running
