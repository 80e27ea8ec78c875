"""The production overlay's policies, enforced: every port of every pod is tried from everywhere."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import pytest

from cluster.__main__ import node
from cluster.kubectl import Kubectl, of_the_user
from tests.cluster.network import outside
from tests.cluster.network.production import FOREIGN, OWN, SUFFIX, applied, everything
from tests.cluster.network.reach import NAMES, Addresses, Row, expect, pod

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(of_the_user() is not None, reason="only the node of make cluster gets machines outside it"),
]

SERVERS: Mapping[str, str] = {
    "monolith": "192.0.2.10",
    "postgres": "192.0.2.20",
    "documents": "192.0.2.30",
    "broker": "192.0.2.40",
    "redis": "192.0.2.50",
    "keycloak": "192.0.2.60",
    "provider": "198.51.100.25",
    "anywhere": "198.51.100.99",
}
SERVER_PORTS = (443, 587, 3000, 5432, 5672, 6379, 8501, 27017)
CONSUL = {"consul:8501", "consul:8502"}
STORE = {"postgres:5432", "broker:5672"}
SIDECAR = CONSUL | {"names"}
KEYS = {"gateway:20000", "other-gateway:20000"}
REACHES: Mapping[str, set[str]] = {
    "gateway": {
        *(f"{service}:20000" for service in ("account", "learning", "mailer", "runner", "shop")),
        *{"other-gateway:8081", "monolith:3000", "redis:6379", "keycloak:443"},
        *(SIDECAR | STORE),
    },
    "account": {"shop:20000", "keycloak:443", *SIDECAR, *STORE, *KEYS},
    "learning": {"runner:20000", "documents:27017", "keycloak:443", *SIDECAR, *STORE, *KEYS},
    "shop": {"documents:27017", "keycloak:443", *SIDECAR, *STORE, *KEYS},
    "mailer": {"provider:587", *SIDECAR, *STORE},
    "runner": {"keycloak:443", *SIDECAR},
    "registrar": {"consul:8501", "names"},
    "realm": {"keycloak:443", "names"},
    "strangler": {"gateway:8081", "other-gateway:8081", "names"},
    "stranger": {"names"},
}
"""By a pod with policies: what it may call, and all that it may call."""
IS_REACHED: Mapping[str, set[str]] = {
    "ingress": {"gateway:8080", "other-gateway:8080"},
    "prometheus": {
        *{"gateway:8081", "other-gateway:8081", "account:8103", "learning:8106", "mailer:8104", "shop:8102"},
        "runner:8105",
    },
    "consul": set(),
    "elsewhere": set(),
}
"""By a pod of somebody else's namespace, without policies: what of ours it reaches."""
FROM_OUTSIDE: Mapping[str, set[str]] = {
    "monolith": {"mailer:8125", "runner:8105"},
    "postgres": set(),
    "anywhere": set(),
}
NAMESPACES = {"runner": OWN[1], "strangler": OWN[2]}


@dataclass(frozen=True, slots=True)
class Production:
    kubectl: Kubectl
    targets: Addresses

    def without(self, *names: str) -> Addresses:
        """Every port of all pods and servers but these."""
        return {target: at for target, at in self.targets.items() if target.partition(":")[0] not in names}

    def called_by(self, name: str) -> Addresses:
        """Without this pod itself, whose ports nothing keeps from it, and those whom only others call."""
        return {**NAMES, **self.without(name, *({*FOREIGN} - {"consul"}))}

    def row(self, who: str, namespace: str, targets: Addresses, expected: Set[str]) -> Row:
        return Row(who, pod(self.kubectl, namespace + SUFFIX, who), targets, expected)


@pytest.fixture(scope="module")
def production(kubectl: Kubectl) -> Iterator[Production]:
    with (
        outside.machines(node().namespace, [*SERVERS.values()], SERVER_PORTS),
        applied(kubectl) as pods,
    ):
        yield Production(kubectl, everything(pods, SERVERS, SERVER_PORTS))


def test_a_pod_reaches_what_it_must_and_nothing_else(production: Production) -> None:
    expect(
        [production.row(who, NAMESPACES.get(who, OWN[0]), production.called_by(who), REACHES[who]) for who in REACHES]
    )


def test_somebody_else_reaches_what_the_overlay_opens_for_them(production: Production) -> None:
    targets = production.without(*FOREIGN, *SERVERS)
    expect([production.row(who, FOREIGN[who], targets, IS_REACHED[who]) for who in IS_REACHED])


def test_of_the_machines_outside_the_monolith_alone_calls_back(production: Production) -> None:
    targets = production.without(*FOREIGN, *SERVERS)
    expect([Row(who, outside.at(SERVERS[who]), targets, FROM_OUTSIDE[who]) for who in FROM_OUTSIDE])


def test_without_a_policy_everything_is_open(production: Production) -> None:
    """So what is refused above is refused by policies."""
    ours = {target.partition(":")[0] for target in production.targets} - {"consul", *SERVERS}
    targets = production.without(*ours)
    expect([production.row("elsewhere", FOREIGN["elsewhere"], targets, targets.keys())])
