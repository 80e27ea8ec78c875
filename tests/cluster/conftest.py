"""The whole system on a cluster, rolled out once, and requests that go on all the time."""

from collections.abc import Iterator

import pytest

from cluster.__main__ import node
from cluster.kubectl import Kubectl, of_the_user
from tests.cluster.system import System, deployed
from tests.cluster.traffic import Load, sending


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return of_the_user() or node().kubectl


@pytest.fixture(scope="session")
def system(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with deployed(kubectl, tmp_path_factory.mktemp("secrets")) as system:
        yield system


@pytest.fixture(scope="session")
def load(system: System) -> Iterator[Load]:
    """Served by the services, as far as they have been extracted."""
    for group in ("items", "users", "sign-in", "learning"):
        system.extract(group)
    with sending(system) as load:
        yield load
