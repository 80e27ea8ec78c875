"""What a pod names is there: ConfigMaps and Secrets with their keys, accounts, volumes, classes, files, addresses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from manifests.mesh import upstreams
from manifests.objects import Finding, Manifests, Object, Workload, namespace, where

_URL = re.compile(r"\w+(?:\+\w+)?://(?:[^@/]*@)?([^:/,]+):(\d+)")
_EXPANDED = re.compile(r"\$\([A-Z_]+\)\.?")
_VAULT = "vault.hashicorp.com/agent-inject-secret-"


def missing(manifests: Manifests) -> Iterator[Finding]:
    """Names of other objects that lead nowhere."""
    for workload in manifests.workloads:
        for message in _missing_of(manifests, workload):
            yield Finding(where(workload.object), message)
    for one in manifests.of_kind("TriggerAuthentication"):
        for ref in one["spec"]["secretTargetRef"]:
            if ref["key"] not in manifests.secrets.get((namespace(one), ref["name"]), ()):
                yield Finding(where(one), f"there is no Secret {ref['name']} with a key {ref['key']}")


def _missing_of(manifests: Manifests, workload: Workload) -> Iterator[str]:
    spec, space = workload.spec, workload.namespace
    named = [("ServiceAccount", space, spec.get("serviceAccountName"))] if workload.is_ours else []
    named += [("PriorityClass", "", spec.get("priorityClassName")), ("RuntimeClass", "", spec.get("runtimeClassName"))]
    for volume in spec.get("volumes", ()):
        named.append(("ConfigMap", space, volume.get("configMap", {}).get("name")))
        named.append(("PersistentVolumeClaim", space, volume.get("persistentVolumeClaim", {}).get("claimName")))
        secret = volume.get("secret", {})
        if secret and not secret.get("optional") and (space, secret["secretName"]) not in manifests.secrets:
            yield f"there is no Secret {secret['secretName']}"
    for kind, place, name in named:
        if name is None and kind == "ServiceAccount":
            yield "it has no ServiceAccount of its own"
        if name is not None and manifests.find(kind, place, name) is None:
            yield f"there is no {kind} {name}"
    mounts = {mount["name"] for container in workload.containers for mount in container.get("volumeMounts", ())}
    claims = {one["metadata"]["name"] for one in workload.object["spec"].get("volumeClaimTemplates", ())}
    for name in sorted(mounts ^ ({volume["name"] for volume in spec.get("volumes", ())} | claims)):
        yield f"the volume {name} is mounted and not there, or there and not mounted"
    for container in workload.containers:
        yield from _missing_keys(manifests, space, container)


def _missing_keys(manifests: Manifests, space: str, container: Mapping[str, Any]) -> Iterator[str]:
    for source in container.get("envFrom", ()):
        if manifests.find("ConfigMap", space, source["configMapRef"]["name"]) is None:
            yield f"there is no ConfigMap {source['configMapRef']['name']}"
    for one in container.get("env", ()):
        found = one.get("valueFrom", {})
        ref = found.get("configMapKeyRef")
        if ref and ref["key"] not in _data(manifests.find("ConfigMap", space, ref["name"])):
            yield f"{one['name']}: there is no ConfigMap {ref['name']} with a key {ref['key']}"
        ref = found.get("secretKeyRef")
        if ref and ref["key"] not in manifests.secrets.get((space, ref["name"]), ()):
            yield f"{one['name']}: there is no Secret {ref['name']} with a key {ref['key']}"


def values(manifests: Manifests, workload: Workload, container: Mapping[str, Any]) -> Mapping[str, str]:
    """The variables of a container whose values the manifests say."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= _data(manifests.find("ConfigMap", workload.namespace, source["configMapRef"]["name"]))
    for one in container.get("env", ()):
        ref = one.get("valueFrom", {}).get("configMapKeyRef")
        data = _data(manifests.find("ConfigMap", workload.namespace, ref["name"])) if ref else {}
        found[one["name"]] = str(one.get("value", data.get(ref["key"], "") if ref else ""))
    return found


def _data(config_map: Object | None) -> Mapping[str, str]:
    return (config_map or {}).get("data") or {}


def without_file(manifests: Manifests) -> Iterator[Finding]:
    """A variable …_FILE whose file no volume brings."""
    for workload in manifests.workloads:
        for container in workload.containers:
            files = _files(manifests, workload, container)
            for name, value in values(manifests, workload, container).items():
                if name.endswith("_FILE") and value not in files:
                    yield Finding(where(workload.object), f"{name}: no volume has the file {value}")


def _files(manifests: Manifests, workload: Workload, container: Mapping[str, Any]) -> set[str]:
    secrets = {
        one["name"]: manifests.secrets.get((workload.namespace, one["secret"]["secretName"]), ())
        for one in workload.spec.get("volumes", ())
        if "secret" in one
    }
    mounted = {
        f"{mount['mountPath']}/{key}"
        for mount in container.get("volumeMounts", ())
        for key in secrets.get(mount["name"], ())
    }
    folder = workload.annotations.get("vault.hashicorp.com/secret-volume-path", "/vault/secrets")
    injected = (name.removeprefix(_VAULT) for name in workload.annotations if name.startswith(_VAULT))
    return mounted | {f"{folder}/{name}" for name in injected}


def told_otherwise(manifests: Manifests) -> Iterator[Finding]:
    """A Secret that External Secrets brings with other keys than deploy/cluster-secrets.sh, which stands for it."""
    for space, name in sorted({*manifests.given, *manifests.fetched} if manifests.fetched else ()):
        by_file, by_store = (sorted(found.get((space, name), ())) for found in (manifests.given, manifests.fetched))
        if by_file != by_store:
            keys = ", ".join(sorted({*by_file} ^ {*by_store}))
            yield Finding(
                f"Secret {space}/{name}", f"deploy/cluster-secrets.sh and its ExternalSecret differ in {keys}"
            )
    for one in manifests.of_kind("ExternalSecret"):
        for row in one["spec"]["data"]:
            if row["remoteRef"]["key"] != f"polycode/{row['secretKey']}":
                yield Finding(where(one), f"{row['secretKey']} is {row['remoteRef']['key']} in the store")


def unknown_addresses(manifests: Manifests) -> Iterator[Finding]:
    """A URL of the cluster that no Service serves, or one on loopback that no sidecar does."""
    for workload in manifests.workloads:
        own = {*workload.ports.values(), *upstreams(workload).values()}
        for container in workload.containers:
            for name, value in values(manifests, workload, container).items():
                for host, port in _URL.findall(_EXPANDED.sub("", value)):
                    if not _is_served(manifests, workload.namespace, host, int(port), own):
                        yield Finding(where(workload.object), f"{name}: nobody serves {host}:{port}")


def _is_served(manifests: Manifests, space: str, host: str, port: int, own: set[int]) -> bool:
    if host == "127.0.0.1":
        return port in own
    if host == "localhost":
        return True  # of the machine of who looks: the development overlay's pages
    labels = host.removesuffix(".svc").split(".")
    if len(labels) > 1 and manifests.find("Namespace", "", labels[-1]) is not None:
        space = labels.pop()
    elif len(labels) > 1 and manifests.find("Service", space, labels[-1]) is None:
        return True  # outside of what is applied
    service = manifests.find("Service", space, labels[-1])
    return service is not None and port in {one["port"] for one in service["spec"]["ports"]}
