"""What an operator does on a cluster: upgrades, mistakes, evictions, flips; requests go on meanwhile."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from cluster.kubectl import of_the_user
from images.engine import ROOT
from parts.place import PartFailed
from parts.process import run
from tests.cluster.system import NAMESPACE, System, eventually, ready, waiting_reasons
from tests.cluster.traffic import Load

pytestmark = pytest.mark.cluster

SERVICES = ("account", "learning", "mailer", "shop")
STUCK = {"CrashLoopBackOff", "RunContainerError", "CreateContainerError"}


@contextmanager
def routes_changed(system: System, text: str) -> Iterator[None]:
    """The ConfigMap of routes.yaml as an operator replaces it; at the end as it was."""
    before = system.run("get", "configmap", "routes", "--output=yaml")
    kept = yaml.safe_load(before)["data"]["routes.yaml"]
    _put_routes(system, text)
    try:
        yield
    finally:
        _put_routes(system, kept)


def _put_routes(system: System, text: str) -> None:
    patch = json.dumps({"data": {"routes.yaml": text}})
    system.run("patch", "configmap", "routes", "--type=merge", f"--patch={patch}")


def routes(system: System) -> str:
    return str(system.kubectl.json(f"--namespace={NAMESPACE}", "get", "configmap", "routes")["data"]["routes.yaml"])


def test_everything_is_rolled_out_and_serves_on_the_monoliths_side(system: System) -> None:
    assert {workload for _, workload in system.workloads()} >= {"deployment/shop", "statefulset/gateway"}
    for name in ("gateway", *SERVICES):
        assert ready(system.pods(name)) == 2
    assert system.states(0) == system.states(1)


def test_an_upgrade_of_each_workload_loses_no_request(system: System, load: Load) -> None:
    for namespace, workload in system.workloads():
        with load.loses_nothing():
            system.kubectl.run(f"--namespace={namespace}", "rollout", "restart", workload)
            print(f"{workload}: {system.roll_out(namespace, workload):.1f} s", end=", ")


def test_a_second_eviction_waits_for_the_first(system: System, load: Load) -> None:
    with load.loses_nothing():
        first, second = (pod["metadata"]["name"] for pod in system.pods("shop"))
        evict(system, first)
        with pytest.raises(PartFailed, match="disruption budget"):
            evict(system, second)
        system.roll_out(NAMESPACE, "deployment/shop")


def evict(system: System, pod: str) -> None:
    name = {"name": pod, "namespace": NAMESPACE}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": name}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    system.kubectl.run("create", f"--raw={path}", "--filename=-", stdin=json.dumps(body))


def test_a_version_that_does_not_start_is_noticed_and_replaces_nothing(system: System, load: Load) -> None:
    broken = [{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["no-such-command"]}]
    with load.loses_nothing():
        system.run("patch", "deployment", "shop", "--type=json", f"--patch={json.dumps(broken)}")
        eventually(lambda: waiting_reasons(system.pods("shop")) & STUCK, "the new pod is seen to crash")
        assert ready(system.pods("shop")) == 2
        system.run("rollout", "undo", "deployment/shop")
        system.roll_out(NAMESPACE, "deployment/shop")


def test_a_changed_config_map_is_served_without_a_restart(system: System, load: Load) -> None:
    changed = yaml.safe_load(routes(system))
    changed["groups"]["brand-new"] = {"state": "legacy"}
    new = {"id": "brand-new-route", "group": "brand-new", "match": {"path": "/brand-new"}, "legacy": "monolith"}
    changed["routes"].insert(0, new)
    started = [pod["metadata"]["uid"] for pod in system.pods("gateway")]
    with load.loses_nothing(), routes_changed(system, yaml.safe_dump(changed, sort_keys=False)):
        eventually(lambda: all("brand-new" in system.states(gateway) for gateway in (0, 1)), "the new route is served")
        assert system.states()["items"] == "extracted"
    eventually(lambda: all("brand-new" not in system.states(gateway) for gateway in (0, 1)), "the new route is gone")
    assert [pod["metadata"]["uid"] for pod in system.pods("gateway")] == started


def test_a_config_map_that_does_not_validate_changes_nothing_even_with_a_roll_out(system: System, load: Load) -> None:
    before = system.states()
    with load.loses_nothing():
        with routes_changed(system, "version: 1\nroutes: [{id: broken}]\n"):
            system.run("rollout", "restart", "statefulset/gateway")
            eventually(lambda: waiting_reasons(system.pods("gateway")) & STUCK, "the new pod is seen to crash")
            assert system.states() == before
            eventually(lambda: len(system.served_by("gateway")) == 1, "nobody is sent to it")
            assert ready(system.pods("gateway")) == 1
        system.roll_out(NAMESPACE, "statefulset/gateway")
    assert system.states() == before


def test_a_flip_and_a_rollback_are_served_by_all_gateways(system: System, load: Load) -> None:
    with load.loses_nothing():
        system.strangler("rollback", "users")
        assert [system.states(gateway)["users"] for gateway in (0, 1)] == ["legacy", "legacy"]
        system.strangler("release", "users")
        system.extract("users")
        assert [system.states(gateway)["users"] for gateway in (0, 1)] == ["extracted", "extracted"]


def test_a_rollback_needs_no_store(system: System, load: Load) -> None:
    with load.loses_nothing():
        system.scale("deployment/consul", 0)
        system.strangler("rollback", "learning")
        assert system.states(0)["learning"] == "legacy"
        system.scale("deployment/consul", 1)
        eventually(lambda: system.states(1)["learning"] == "legacy", "the other gateway follows")


@pytest.mark.skipif(of_the_user() is not None, reason="only the node of make cluster can be restarted")
def test_a_restart_of_the_node_loses_nothing_and_replaces_no_pod(system: System, load: Load) -> None:
    before = {pod["metadata"]["uid"] for pod in of_all(system)}
    with load.loses_nothing():
        run([sys.executable, "-m", "cluster", "restart"], cwd=ROOT)
        system.kubectl.run("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=300s")
    eventually(lambda: ready(of_all(system)) == len(before), "every pod is ready")
    assert {pod["metadata"]["uid"] for pod in of_all(system)} == before


def of_all(system: System) -> list[Any]:
    """The pods of gateway and services, but for Runner's."""
    return [pod for name in ("gateway", *SERVICES) for pod in system.pods(name)]
