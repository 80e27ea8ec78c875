"""What must be there all the time: probes, an end without a lost request, and never all pods away at once."""

from collections.abc import Iterator, Mapping
from typing import Any

from manifests.code import defaults
from manifests.objects import Finding, Manifests, Workload, matches, namespace, where
from manifests.references import values

PROBES = {"startupProbe": "/health/live", "readinessProbe": "/health/ready", "livenessProbe": "/health/live"}
ENDPOINTS_S = 5
"""Until every node has noticed that a pod leaves, connections still come to it."""
ROOM_S = 5
"""For idle connections, which end within 2.4 s, and for the process itself."""


def unready(manifests: Manifests) -> Iterator[Finding]:
    """Probes, spread, a disruption budget, a way to have more than one pod."""
    for workload in manifests.workloads:
        if not workload.serves:
            continue
        for message in (*_probes(workload), *_rest(manifests, workload)):
            yield Finding(where(workload.object), message)


def _probes(workload: Workload) -> Iterator[str]:
    for container in workload.spec["containers"]:
        for name, path in PROBES.items():
            if container.get(name, {}).get("httpGet", {}).get("path") != path:
                yield f"{container['name']}: {name} does not ask {path}"


def _rest(manifests: Manifests, workload: Workload) -> Iterator[str]:
    spread = {one["topologyKey"] for one in workload.spec.get("topologySpreadConstraints", ())}
    if not {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} <= spread:
        yield "its pods are not spread over nodes and zones"
    budgets = [
        one
        for one in manifests.of_kind("PodDisruptionBudget")
        if namespace(one) == workload.namespace and matches(one["spec"]["selector"], workload.labels)
    ]
    if len(budgets) != 1:
        yield "it does not have exactly one PodDisruptionBudget"
    if max(workload.object["spec"].get("replicas", 1), _least(manifests, workload)) < 2:
        yield "one pod is too few: replicas, or the least of an autoscaler, is below 2"
    update = workload.object["spec"].get("strategy", {}).get("rollingUpdate", {})
    if workload.object["kind"] == "Deployment" and update.get("maxUnavailable") != 0:
        yield "strategy: maxUnavailable is not 0"


def _least(manifests: Manifests, workload: Workload) -> int:
    """What an autoscaler keeps at least."""
    for one in manifests.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        target = one["spec"]["scaleTargetRef"]
        if (namespace(one), target["name"]) == (workload.namespace, workload.object["metadata"]["name"]):
            return int(one["spec"].get("minReplicas", one["spec"].get("minReplicaCount", 1)))
    return 0


def cut_short(manifests: Manifests) -> Iterator[Finding]:
    """A pod that is killed before it could finish its requests, or leaves while connections still come."""
    for workload in manifests.workloads:
        if not workload.serves:
            continue
        given = workload.spec.get("terminationGracePeriodSeconds", 30)
        for container in workload.spec["containers"]:
            wait_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if wait_s < ENDPOINTS_S:
                yield Finding(where(workload.object), f"{container['name']}: preStop does not sleep {ENDPOINTS_S} s")
            needed = wait_s + _drain_s(manifests, workload, container) + ROOM_S
            if given < needed:
                message = f"terminationGracePeriodSeconds is {given}: preStop and drain need {needed:g}"
                yield Finding(where(workload.object), message)


def _drain_s(manifests: Manifests, workload: Workload, container: Mapping[str, Any]) -> float:
    """What the settings give requests that are under way at the end."""
    known, own = defaults(workload), values(manifests, workload, container)
    return sum(float(own.get(name, known[name])) for name in known if name.endswith(("_GRACE_S", "_DRAIN_S")))
