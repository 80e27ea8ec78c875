"""What kubelet does when a probe fails: a process that hangs begins anew; who cannot serve gets no requests."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.__main__ import node
from cluster.kubectl import of_the_user
from tests.cluster.system import NAMESPACE, System, eventually, ready

pytestmark = pytest.mark.cluster

TABLES = ("account", "learning", "mailer", "shop")
DATABASE = (
    "exec",
    "deployment/postgres",
    "--",
    "psql",
    "--username=postgres",
    "--host=127.0.0.1",
    "--dbname=template1",
)


@dataclass(frozen=True)
class Pod:
    """One pod; asked anew each time."""

    system: System
    namespace: str
    name: str

    def __call__(self) -> Any:
        return self.system.kubectl.json(f"--namespace={self.namespace}", "get", "pod", self.name)

    def restarts(self) -> int:
        return sum(status["restartCount"] for status in self()["status"].get("containerStatuses", ()))

    def is_ready(self) -> bool:
        return ready([self()]) == 1

    def serves_again(self) -> bool:
        return self.restarts() == 1 and self.is_ready()


def test_a_process_that_does_not_answer_at_its_start_begins_anew(system: System, hanging: str) -> None:
    pod = Pod(system, NAMESPACE, hanging)
    eventually(lambda: pod.restarts() > 0, "it has begun anew")
    assert not pod.is_ready()


@pytest.mark.skipif(of_the_user() is not None, reason="only on the node of make cluster can a process be stopped")
def test_a_process_that_hangs_gets_no_requests_and_begins_anew(system: System) -> None:
    """One of each workload, at the same time."""
    pods = [one_of(system, *workload) for workload in system.workloads()]
    assert sum(pod.restarts() for pod in pods) == 0
    for pod in pods:
        stop(pod())
    for pod in pods:
        eventually(lambda: not pod.is_ready(), f"{pod.name} is not ready")  # noqa: B023  # called at once
    for pod in pods:
        eventually(pod.serves_again, f"{pod.name} has begun anew")


def one_of(system: System, namespace: str, workload: str) -> Pod:
    selector = f"--selector=app.kubernetes.io/name={workload.partition('/')[2]}"
    found = system.kubectl.json(f"--namespace={namespace}", "get", "pods", selector)["items"]
    return Pod(system, namespace, found[0]["metadata"]["name"])


def stop(pod: Any) -> None:
    """The process of its container, from outside: within, the first process ignores the signal."""
    [container] = [one for one in pod["status"]["containerStatuses"] if one["name"] == "app"]
    name = container["containerID"].removeprefix("containerd://")
    rows = [line.split() for line in node().containerd.control("tasks", "list").splitlines()]
    [pid] = [int(row[1]) for row in rows if row[0] == name]
    os.kill(pid, signal.SIGSTOP)


def test_services_whose_database_is_away_get_no_requests_until_it_is_back(system: System) -> None:
    pods = [Pod(system, NAMESPACE, one["metadata"]["name"]) for name in TABLES for one in system.pods(name)]
    before = [pod.restarts() for pod in pods]
    with without_database(system):
        eventually(lambda: all(system.served_by(name) == set() for name in TABLES), "nobody is sent to them")
        assert ready(system.pods("gateway")) == 2
    eventually(lambda: all(len(system.served_by(name)) == 2 for name in TABLES), "they are ready again")
    assert [pod.restarts() for pod in pods] == before


@contextmanager
def without_database(system: System) -> Iterator[None]:
    """It ends all connections to it, and takes no new ones."""
    system.run(*DATABASE, "--command=ALTER DATABASE postgres ALLOW_CONNECTIONS false")
    try:
        system.run(
            *DATABASE, "--command=SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'"
        )
        yield
    finally:
        system.run(*DATABASE, "--command=ALTER DATABASE postgres ALLOW_CONNECTIONS true")
