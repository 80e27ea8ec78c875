"""A real Envoy Gateway on the exported HTTPRoutes sends every request where the gateway would send it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cluster import programs
from cluster.__main__ import place
from images.engine import ROOT
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState, PathRules
from tests.export.comparison import REMOVED, Exported, differing, exported, removed, unlikely_shares
from tests.export.normal_form import merged, normalised
from tests.export.test_exported_proxies import HOSTILE, ROUTES, RULES
from tests.support.envoy_gateway.server import EnvoyGateway, running
from tests.support.exported import WAITS, ask
from tests.support.own_network import own_network

pytestmark = pytest.mark.cluster

REFUSED = {"raw bytes": 400, "method UNHEARD-OF": 400, "method get": 400, "asterisk": 404, "%00": 400}
"""What its Envoy answers itself: what the report says, and nothing else."""
NAMED = {"normal_paths", "slashes", "refused_methods", "raw_bytes", "asterisk", "regular_expressions"}


@pytest.fixture(scope="module")
def envoy_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyGateway]:
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    if not programs.are_built(place(), programs.OF_EXPORTS) or None in map(shutil.which, ("etcd", "bwrap")):
        pytest.skip("Envoy Gateway is not built here: make envoy-gateway builds it")
    with own_network(), running(tmp_path_factory.mktemp("eg"), place()) as found:
        yield found


@contextmanager
def served(
    by: EnvoyGateway, text: str, position: Position | None, rules: PathRules | None = None, *, slashes_stay: bool = True
) -> Iterator[Exported]:
    """The file of the export, unmodified."""
    with exported("httproute", text, position, rules) as made:
        system = replace(made, port=by.port)
        by.serve(system.result.text, system.stands, slashes_stay=slashes_stay)
        yield system


@pytest.mark.parametrize("state", ["legacy", "extracted", "retired"])
def test_every_request_goes_where_the_gateway_would_send_it(envoy_gateway: EnvoyGateway, state: str) -> None:
    with served(envoy_gateway, ROUTES, Position(MigrationState(state))) as system:
        assert len(system.table.routes) > 45
        assert differing(system, REFUSED, normalised) == []
        assert system.named >= NAMED
        assert ("everything-else" in system.left) == (state != "legacy")


def test_every_request_of_a_canary_goes_to_one_of_its_two_sides(envoy_gateway: EnvoyGateway) -> None:
    with served(envoy_gateway, ROUTES, Position(MigrationState.CANARY, 5000)) as system:
        assert differing(system, REFUSED, normalised) == []
        assert len(system.shares) > 40
        assert unlikely_shares(system.shares) == []
        assert removed(system) == REMOVED


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_hostile_paths_and_names_are_quoted(envoy_gateway: EnvoyGateway, rules: PathRules) -> None:
    with served(envoy_gateway, HOSTILE, None, rules) as system:
        assert "options" in system.named
        assert [request for request, _, _ in differing(system, REFUSED, normalised) if not request.asks_for] == []


def test_an_answer_may_take_longer_than_the_controller_would_wait(envoy_gateway: EnvoyGateway) -> None:
    with served(envoy_gateway, ROUTES, Position(MigrationState.EXTRACTED)) as system:
        assert ask(system.port, "POST", "/submission", f"{WAITS.decode()}: 17").service == "learning"


def test_without_the_policy_slashes_are_merged_and_encoded_ones_redirected(envoy_gateway: EnvoyGateway) -> None:
    with served(envoy_gateway, ROUTES, Position(MigrationState.EXTRACTED), slashes_stay=False) as system:
        found = differing(system, REFUSED, merged)
        assert {answered.status for _, answered, _ in found} == {307}
        assert all("%2F" in request.target.partition("?")[0] for request, _, _ in found)


def test_the_route_of_k8s_to_the_gateway_is_one_that_the_api_takes(envoy_gateway: EnvoyGateway) -> None:
    envoy_gateway.kubectl.run("create", "namespace", "polycode")
    words = ("apply", "--dry-run=server", f"--filename={ROOT / 'k8s/components/gateway-api/route.yaml'}")
    assert "httproute.gateway.networking.k8s.io/polycode created (server dry run)" in envoy_gateway.kubectl.run(*words)
