"""Network policies: everything is denied first, and each exception is about pods and ports that exist."""

from collections.abc import Iterator, Mapping
from typing import Any

from manifests.mesh import ENVOY
from manifests.objects import Finding, Manifests, Object, Workload, namespace, where

NAME = "kubernetes.io/metadata.name"


def nowhere(manifests: Manifests) -> Iterator[Finding]:
    """A namespace that is open, a policy of no pod, a peer that is nobody, a port that nobody has."""
    closed = {namespace(one) for one in manifests.of_kind("NetworkPolicy") if _denies(one)}
    for one in manifests.of_kind("Namespace"):
        if one["metadata"]["name"] not in closed and _has_pods(manifests, one["metadata"]["name"]):
            yield Finding(where(one), "no NetworkPolicy of its pods denies Ingress and Egress by default")
    for one in manifests.of_kind("NetworkPolicy"):
        pods = manifests.selected(namespace(one), one["spec"]["podSelector"])
        if not pods:
            yield Finding(where(one), "its podSelector matches no pod")
        for rule in one["spec"].get("ingress", ()):
            yield from _accepting(manifests, one, rule, pods)
        for rule in one["spec"].get("egress", ()):
            yield from _opening(manifests, one, rule)


def _denies(policy: Object) -> bool:
    spec = policy["spec"]
    return spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Ingress", "Egress"}


def _has_pods(manifests: Manifests, name: str) -> bool:
    return any(one.namespace == name for one in manifests.workloads)


def _accepting(
    manifests: Manifests, policy: Object, rule: Mapping[str, Any], pods: list[Workload]
) -> Iterator[Finding]:
    for peer in rule.get("from", ()):
        if (found := _peers(manifests, policy, peer)) is not None and not found:
            yield Finding(where(policy), f"from: {peer} is nobody")
    for port in rule.get("ports", ()):
        if not any(_has(pod, port["port"]) for pod in pods):
            yield Finding(where(policy), f"none of its pods has the port {port['port']}")


def _opening(manifests: Manifests, policy: Object, rule: Mapping[str, Any]) -> Iterator[Finding]:
    if "to" not in rule:
        yield Finding(where(policy), "egress without `to` leads everywhere")
    for peer in rule.get("to", ()):
        found = _peers(manifests, policy, peer)
        if found is None:
            continue
        if not found:
            yield Finding(where(policy), f"to: {peer} is nobody")
        for port in rule.get("ports", ()) if found else ():
            if not any(_has(pod, port["port"]) for pod in found):
                yield Finding(where(policy), f"to: {peer} has no port {port['port']}")


def _peers(manifests: Manifests, policy: Object, peer: Mapping[str, Any]) -> list[Workload] | None:
    """The pods that a peer means; None: it is outside of what this overlay applies."""
    if "ipBlock" in peer:
        return None
    others = peer.get("namespaceSelector")
    name = namespace(policy) if others is None else others.get("matchLabels", {}).get(NAME, "")
    if manifests.find("Namespace", "", name) is None:
        return None
    return manifests.selected(name, peer.get("podSelector", {}))


def _has(pod: Workload, port: object) -> bool:
    return port in pod.ports or port in pod.ports.values() or (port == ENVOY and pod.serves)
