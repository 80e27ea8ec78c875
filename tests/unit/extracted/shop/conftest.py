"""One shop and one seller for all tests here that share a database; each test brings items and users of its own."""

from collections.abc import Iterator

import pytest

from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import Gateway, RunningShop, running_seller, running_shop


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


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithFile]:
    """For a module that counts all rows."""
    file = MonolithFile(tmp_path_factory.mktemp("own") / "monolith.sqlite3")
    yield file
    file.close()


@pytest.fixture(scope="session")
def shop(monolith: MonolithFile, gateway: Gateway) -> Iterator[RunningShop]:
    with running_shop(monolith.url, gateway) as running:
        yield running


@pytest.fixture(scope="module")
def own_shop(own_file: MonolithFile, gateway: Gateway) -> Iterator[RunningShop]:
    with running_shop(own_file.url, gateway) as running:
        yield running


@pytest.fixture(scope="session")
def seller(monolith: MonolithFile, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """Another shop on the same database, that sells, too."""
    with running_seller(monolith.url, gateway, tmp_path_factory.mktemp("broker")) as running:
        yield running
