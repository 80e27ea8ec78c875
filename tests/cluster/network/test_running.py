"""Who reaches whom in the system as it runs, where the network enforces policies: what is listed, and nothing else."""

from collections.abc import Iterator, Mapping

import pytest

from tests.cluster.network.listener import listener
from tests.cluster.network.reach import NAMES, Addresses, Row, expect, pod
from tests.cluster.pods import namespace_named, running
from tests.cluster.system import NAMESPACE, System

pytestmark = pytest.mark.cluster

STRANGERS = "polycode-strangers"
SERVERS = {"postgres", "rabbitmq"}
KEYS = {"gateway-admin"}
REACHES: Mapping[str, set[str]] = {
    "statefulset/gateway": {
        *{"account", "learning", "mailer", "runner", "shop", "monolith", "consul", "redis", "names"},
        *(SERVERS | KEYS),
    },
    "deployment/account": {"shop", "names", *SERVERS, *KEYS},
    "deployment/learning": {"runner", "mongo", "names", *SERVERS, *KEYS},
    "deployment/shop": {"mongo", "names", *SERVERS, *KEYS},
    "deployment/mailer": {"mailbox", "names", *SERVERS},
    "deployment/runner": set(),
    "pod/stranger": {"names"},
    "pod/elsewhere": {"gateway", "names", "kubernetes"},
}
"""By who asks: a stranger has no label of ours, and the one elsewhere a namespace without policies; to it only the
gateway's clients' port is open. `kubernetes` is the API server, which stands for everything outside the cluster."""
NAMESPACES = {"deployment/runner": "polycode-runner", "pod/elsewhere": STRANGERS}


@pytest.fixture(scope="module")
def strangers(system: System) -> Iterator[None]:
    pods = [
        listener(namespace, name, {}, [], []) for namespace, name in ((NAMESPACE, "stranger"), (STRANGERS, "elsewhere"))
    ]
    with running(system.kubectl, [namespace_named(STRANGERS), *pods]):
        yield


@pytest.fixture(scope="module")
def services(system: System) -> Addresses:
    """Every Service of the system, and the API server's, each port of one with several; and names."""
    found = dict(NAMES)
    for one in system.kubectl.json("get", "services", "--all-namespaces")["items"]:
        name, spec = one["metadata"], one["spec"]
        if name["namespace"] == "kube-system" or spec["clusterIP"] == "None":
            continue
        for number, port in enumerate(spec["ports"]):
            found[name["name"] if number == 0 else f"{name['name']}:{port['name']}"] = (spec["clusterIP"], port["port"])
    return found


@pytest.mark.usefixtures("strangers")
def test_each_reaches_what_it_must_and_nothing_else(system: System, services: Addresses) -> None:
    callers = {who: pod(system.kubectl, NAMESPACES.get(who, NAMESPACE), who) for who in REACHES}
    expect([Row(who, callers[who], services, REACHES[who]) for who in REACHES])


def test_the_stand_in_of_the_monolith_calls_mailer_and_runner_back(system: System, services: Addresses) -> None:
    reached = pod(system.kubectl, NAMESPACE, "deployment/monolith").reaches(services)
    assert {"mailer:smtp", "runner"} <= reached
    assert not reached & {"account", "shop", "learning", "mailer", "gateway-admin", "kubernetes"}
