"""The development overlay on a cluster, brought there as docs/kubernetes.md says."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.kubectl import Kubectl
from images.engine import ROOT
from parts.process import run
from tests.cluster.rendered import OVERLAY, objects
from tests.support.system.waiting import until

NAMESPACE = "polycode"
SECRETS = ROOT / "deploy/cluster-secrets.sh"
TOKEN = "/run/secrets/polycode/operator-token"
WITHIN_S = 300.0
POLL_S = 0.5
OURS = "app.kubernetes.io/component in (gateway,service)"
WORKLOADS = "deployments,statefulsets"


def eventually(happens: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """As `until`, with the patience and the pauses of a cluster: each question starts a kubectl."""
    until(happens, what, within_s, POLL_S)


class System:
    """The whole system in its namespaces."""

    def __init__(self, kubectl: Kubectl, secrets: Path) -> None:
        """`secrets`: a folder for them."""
        self.kubectl, self._secrets = kubectl, secrets

    def deploy(self) -> None:
        environ = {"PATH": f"{self.kubectl.program.parent}:{os.environ['PATH']}"}
        run(["sh", SECRETS, "development", self._secrets], environ=environ)
        items = {"apiVersion": "v1", "kind": "List", "items": objects(self.kubectl)}
        self.kubectl.run("apply", "--filename=-", stdin=json.dumps(items))

    @property
    def operator_token(self) -> str:
        return (self._secrets / "operator-token").read_text()

    def run(self, *words: str, stdin: str | None = None) -> str:
        return self.kubectl.run(f"--namespace={NAMESPACE}", *words, stdin=stdin)

    def workloads(self, label: str = OURS) -> Sequence[tuple[str, str]]:
        """(namespace, `deployment/NAME`) of each one."""
        found = self.kubectl.json("get", WORKLOADS, "--all-namespaces", f"--selector={label}")["items"]
        return [(each["metadata"]["namespace"], f"{each['kind'].lower()}/{each['metadata']['name']}") for each in found]

    def roll_out(self, namespace: str, workload: str) -> float:
        """How long it takes until its pods are new and ready, in s; waits for the old ones' end. Raises PartFailed."""
        begun = time.monotonic()
        self.kubectl.run(f"--namespace={namespace}", "rollout", "status", workload, f"--timeout={WITHIN_S:g}s")
        took = time.monotonic() - begun
        eventually(lambda: not self._ending(namespace), "the replaced pods end")
        return took

    def scale(self, workload: str, replicas: int) -> None:
        """Returns when so many pods serve, and the others are gone."""
        self.run("scale", workload, f"--replicas={replicas}")
        name = workload.partition("/")[2]
        eventually(
            lambda: len(self.pods(name)) == ready(self.pods(name)) == replicas, f"{replicas} pods of {name} serve"
        )
        eventually(lambda: not self._ending(NAMESPACE), "the others are gone")

    def _ending(self, namespace: str) -> bool:
        pods = self.kubectl.json(f"--namespace={namespace}", "get", "pods")["items"]
        return any("deletionTimestamp" in pod["metadata"] for pod in pods)

    def pods(self, name: str) -> Sequence[Any]:
        """Of one workload, those that do not end."""
        selector = f"--selector=app.kubernetes.io/name={name}"
        found = self.kubectl.json(f"--namespace={NAMESPACE}", "get", "pods", selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def served_by(self, service: str) -> set[str]:
        """The names of the pods that this Service sends requests to."""
        selector = f"--selector=kubernetes.io/service-name={service}"
        slices = self.kubectl.json(f"--namespace={NAMESPACE}", "get", "endpointslices", selector)["items"]
        ends = [end for one in slices for end in one.get("endpoints") or () if end["conditions"]["ready"]]
        return {end["targetRef"]["name"] for end in ends}

    def strangler(self, *words: str, gateway: int = 0) -> str:
        """`strangler WORDS` in a gateway's pod."""
        command = ("env", f"STRANGLER_ADMIN_TOKEN_FILE={TOKEN}", "strangler", *words)
        return self.run("exec", f"gateway-{gateway}", "--container=app", "--", *command)

    def states(self, gateway: int = 0) -> Mapping[str, str]:
        """The state of each group, as this gateway serves it."""
        routes = json.loads(self.strangler("routes", "--json", gateway=gateway))["routes"]
        return {route["unit"]: route["state"] for route in routes}

    def extract(self, group: str) -> None:
        """`--force`: nobody has called yet."""
        steps = (("shadow",), ("canary", "--share", "100"), ("extracted",))
        for step in steps:
            self.strangler("flip", group, "--to", *step, "--why", "a test", "--force")


def waiting_reasons(pods: Sequence[Any]) -> set[str]:
    """Why containers of these pods do not run, such as CrashLoopBackOff."""
    statuses = [status for pod in pods for kind in KINDS for status in pod["status"].get(kind, ())]
    return {status["state"]["waiting"]["reason"] for status in statuses if "waiting" in status["state"]}


KINDS = ("containerStatuses", "initContainerStatuses")


def ready(pods: Sequence[Any]) -> int:
    """How many of these pods get requests."""
    conditions = [{one["type"]: one["status"] for one in pod["status"].get("conditions", ())} for pod in pods]
    return sum(each.get("Ready") == "True" for each in conditions)


@contextmanager
def deployed(kubectl: Kubectl, folder: Path) -> Iterator[System]:
    """Rolled out; nothing of it is left at the end."""
    system = System(kubectl, folder)
    taken = kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name").strip()
    assert not taken, f"the cluster has a {taken} already: remove it, these tests would change it"
    try:
        system.deploy()
        for namespace, workload in system.workloads("app.kubernetes.io/part-of in (polycode, polycode-parts)"):
            system.roll_out(namespace, workload)
        yield system
    finally:
        kubectl.run("delete", "--kustomize", str(OVERLAY), "--ignore-not-found")
