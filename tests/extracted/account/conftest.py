"""One Account and one database, of either kind, for all tests here; each brings users of its own."""

from collections.abc import Iterator

import pytest

from tests.extracted.running import Gateway, RunningService, running_service
from tests.monolith_file import MonolithData
from tests.stores import EVERYWHERE


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="session", params=EVERYWHERE)
def monolith(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithData]:
    data = MonolithData(request.param(tmp_path_factory.mktemp("monolith")))
    yield data
    data.close()


@pytest.fixture(scope="session")
def account(monolith: MonolithData, gateway: Gateway) -> Iterator[RunningService]:
    with running_service("account", monolith.url, gateway) as running:
        yield running


@pytest.fixture(scope="session")
def improved(monolith: MonolithData, gateway: Gateway) -> Iterator[RunningService]:
    with running_service("account", monolith.url, gateway, COMPAT="improved") as running:
        yield running
