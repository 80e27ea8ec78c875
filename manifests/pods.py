"""What every pod must have: no right that it does not need (PodSecurity `restricted`, and more), and bounds."""

from collections.abc import Iterator, Mapping
from typing import Any

from manifests.objects import Finding, Manifests, Workload, where

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SHARED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")


def unrestricted(manifests: Manifests) -> Iterator[Finding]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, a read-only root, no token of the API."""
    for one in manifests.of_kind("Namespace"):
        if one["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield Finding(where(one), "its label pod-security.kubernetes.io/enforce is not `restricted`")
    for workload in manifests.workloads:
        messages = [*_of_pod(workload), *(text for one in workload.containers for text in _of_container(workload, one))]
        yield from (Finding(where(workload.object), message) for message in messages)


def _of_pod(workload: Workload) -> Iterator[str]:
    spec = workload.spec
    yield from (f"{name} is set" for name in _SHARED if spec.get(name))
    for volume in spec.get("volumes", ()):
        yield from (f"the volume {volume['name']} is a {kind}" for kind in sorted(volume.keys() - {"name"} - _VOLUMES))
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) == 0:
        yield "securityContext: runAsNonRoot and a runAsUser are missing"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "securityContext: seccompProfile is not RuntimeDefault"
    needs_token = any(name.endswith(("/connect-inject", "/agent-inject")) for name in workload.annotations)
    if spec.get("automountServiceAccountToken") is not needs_token:
        yield f"automountServiceAccountToken is not {str(needs_token).lower()}"
    if spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false: variables of every Service would reach the settings"


def _of_container(workload: Workload, container: Mapping[str, Any]) -> Iterator[str]:
    name, context = container["name"], container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield f"{name}: allowPrivilegeEscalation is not false, or it is privileged"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield f"{name}: capabilities are not {{drop: [ALL]}}"
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{name}: readOnlyRootFilesystem is not true"
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield f"{name}: it runs as root"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield f"{name}: it has a hostPort"


def unbounded(manifests: Manifests) -> Iterator[Finding]:
    """Requests for the scheduler, a limit of memory, and of files in memory."""
    for workload in manifests.workloads:
        for container in workload.containers:
            found = container.get("resources", {})
            if {"cpu", "memory"} - found.get("requests", {}).keys() or "memory" not in found.get("limits", {}):
                yield Finding(
                    where(workload.object), f"{container['name']}: requests or the limit of memory are missing"
                )
        for volume in workload.spec.get("volumes", ()):
            if volume.get("emptyDir", {}).get("medium") == "Memory" and "sizeLimit" not in volume["emptyDir"]:
                yield Finding(where(workload.object), f"the volume {volume['name']} is in memory and has no sizeLimit")
