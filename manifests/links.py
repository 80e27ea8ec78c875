"""What selects pods finds some, what names an object finds it, and what names a port finds it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manifests.objects import Finding, Manifests, Object, Workload, matches, namespace, where


def unmatched(manifests: Manifests) -> Iterator[Finding]:
    """Selectors without a pod; a workload that would not find its own pods, or spread them."""
    for one in manifests.of_kind("Service"):
        if not pods_of(manifests, one):
            yield Finding(where(one), f"its selector {one['spec'].get('selector')} matches no pod")
    for one in manifests.of_kind("PodDisruptionBudget"):
        if len(manifests.selected(namespace(one), one["spec"]["selector"])) != 1:
            yield Finding(where(one), "its selector does not match the pods of exactly one workload")
    for workload in manifests.workloads:
        selectors = [workload.object["spec"]["selector"]] if "selector" in workload.object["spec"] else []
        selectors += [one["labelSelector"] for one in workload.spec.get("topologySpreadConstraints", ())]
        if not all(matches(selector, workload.labels) for selector in selectors):
            yield Finding(where(workload.object), "a selector of it does not match its own pods")


def pods_of(manifests: Manifests, service: Object) -> Sequence[Workload]:
    """The workloads behind a Service."""
    selector = service["spec"].get("selector")
    return manifests.selected(namespace(service), {"matchLabels": selector}) if selector else []


def without_target(manifests: Manifests) -> Iterator[Finding]:
    """What an autoscaler scales, a StatefulSet's Service, a role of a binding, a KEDA authentication."""
    for one in manifests.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        target = one["spec"]["scaleTargetRef"]
        yield from _unless(manifests, one, target.get("kind", "Deployment"), target["name"])
    for one in manifests.of_kind("StatefulSet"):
        yield from _unless(manifests, one, "Service", one["spec"]["serviceName"])
    for one in manifests.of_kind("RoleBinding"):
        yield from _unless(manifests, one, one["roleRef"]["kind"], one["roleRef"]["name"])
    for one in manifests.of_kind("ScaledObject"):
        for trigger in one["spec"]["triggers"]:
            if "authenticationRef" in trigger:
                yield from _unless(manifests, one, "TriggerAuthentication", trigger["authenticationRef"]["name"])
    for one in manifests.objects:
        if namespace(one) and manifests.find("Namespace", "", namespace(one)) is None:
            yield Finding(where(one), f"there is no Namespace {namespace(one)}")


def _unless(manifests: Manifests, one: Object, kind: str, name: str) -> Iterator[Finding]:
    if manifests.find(kind, namespace(one), name) is None:
        yield Finding(where(one), f"there is no {kind} {name} in its namespace")


def without_port(manifests: Manifests) -> Iterator[Finding]:
    """Ports of Services, probes, an Ingress and a route that lead nowhere."""
    for one in manifests.of_kind("Service"):
        for port in one["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            for workload in pods_of(manifests, one):
                if target not in workload.ports and target not in workload.ports.values():
                    yield Finding(where(one), f"{where(workload.object)} has no port {target}")
    for workload in manifests.workloads:
        for container in workload.containers:
            for port in _probed(container):
                if port not in workload.ports and port not in workload.ports.values():
                    yield Finding(where(workload.object), f"a probe asks port {port}, which it does not have")
    for one, service, port in _backends(manifests):
        found = manifests.find("Service", namespace(one), service)
        if found is None or port not in _names_and_numbers(found):
            yield Finding(where(one), f"there is no Service {service} with a port {port}")


def _probed(container: Mapping[str, Any]) -> Iterator[object]:
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(kind, {})
        yield from (probe[way]["port"] for way in ("httpGet", "tcpSocket") if way in probe)


def _backends(manifests: Manifests) -> Iterator[tuple[Object, str, object]]:
    """(Ingress or HTTPRoute, Service, port)."""
    for one in manifests.of_kind("Ingress"):
        for rule in one["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield one, service["name"], service["port"].get("name", service["port"].get("number"))
    for one in manifests.of_kind("HTTPRoute"):
        yield from ((one, ref["name"], ref["port"]) for rule in one["spec"]["rules"] for ref in rule["backendRefs"])


def _names_and_numbers(service: Object) -> set[object]:
    ports = service["spec"]["ports"]
    return {port["port"] for port in ports} | {port.get("name") for port in ports}
