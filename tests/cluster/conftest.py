"""The whole system on a cluster, rolled out once, and requests that go on all the time."""

import json
from collections.abc import Iterator

import pytest

from cluster.__main__ import node
from cluster.kubectl import Kubectl, of_the_user
from tests.cluster.system import NAMESPACE, System, deployed
from tests.cluster.traffic import Load, sending


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return of_the_user() or node().kubectl


@pytest.fixture(scope="session")
def system(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with deployed(kubectl, tmp_path_factory.mktemp("secrets")) as system:
        yield system


@pytest.fixture(scope="session")
def hanging(system: System) -> Iterator[str]:
    """The name of a pod of Shop's whose process does nothing at all; no Service leads to it."""
    template = system.kubectl.json(f"--namespace={NAMESPACE}", "get", "deployment/shop")["spec"]["template"]
    container = template["spec"]["containers"][0] | {"command": ["python", "-c", "import time; time.sleep(3600)"]}
    spec = template["spec"] | {"containers": [container], "initContainers": [], "topologySpreadConstraints": []}
    name = "hanging"
    metadata = {"name": name, "labels": {"app.kubernetes.io/name": name}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    system.kubectl.apply(json.dumps(pod), f"--namespace={NAMESPACE}")
    yield name
    system.run("delete", "pod", name, "--grace-period=0", "--force")


@pytest.fixture(scope="session")
def load(system: System) -> Iterator[Load]:
    """Served by the services, as far as they have been extracted."""
    for group in ("items", "users", "sign-in", "learning"):
        system.extract(group)
    with sending(system) as load:
        yield load
