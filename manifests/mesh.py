"""Sidecars: who calls whom is said in three places, which must agree: upstreams, addresses and intentions."""

from collections.abc import Iterator, Mapping

from manifests.links import pods_of
from manifests.objects import Finding, Manifests, Object, Workload, where

ENVOY = 20000
"""Where a sidecar accepts calls."""
_PREFIX = "consul.hashicorp.com/"


def upstreams(workload: Workload) -> Mapping[str, int]:
    """The services that a pod calls, and the port on loopback where its own Envoy takes the call."""
    listed = workload.annotations.get(f"{_PREFIX}connect-service-upstreams", "")
    return {name: int(port) for name, port in (one.split(":") for one in listed.split(",") if one)}


def uncalled(manifests: Manifests) -> Iterator[Finding]:
    """An upstream that no intention allows, an intention that no upstream uses, a service without defaults."""
    allowed = {
        (source["name"], one["spec"]["destination"]["name"])
        for one in manifests.of_kind("ServiceIntentions")
        for source in one["spec"]["sources"]
        if source.get("action") != "deny"
    }
    injected = [one for one in manifests.workloads if one.annotations.get(f"{_PREFIX}connect-inject") == "true"]
    called = {(one.object["metadata"]["name"], name) for one in injected for name in upstreams(one)}
    for caller, name in sorted(called - allowed):
        yield Finding(f"ServiceIntentions {name}", f"{caller} has it as an upstream, and may not call it")
    for caller, name in sorted(allowed - called):
        yield Finding(f"ServiceIntentions {name}", f"{caller} may call it, and does not have it as an upstream")
    for workload in injected:
        name = workload.object["metadata"]["name"]
        if manifests.find("ServiceDefaults", "polycode", name) is None:
            yield Finding(where(workload.object), f"there are no ServiceDefaults of {name}")
        registered = [one["metadata"]["name"] for one in _registered(manifests, workload)]
        if len(registered) != 1:
            yield Finding(
                where(workload.object), f"Consul would register it for {len(registered)} Services, wanted is 1"
            )
        known = workload.annotations.get(f"{_PREFIX}connect-service", *registered[:1])
        if {known, workload.spec.get("serviceAccountName")} != {name}:
            yield Finding(
                where(workload.object), f"Consul knows it as {known}: its ServiceAccount has to have that name"
            )


def _registered(manifests: Manifests, workload: Workload) -> Iterator[Object]:
    """The Services that Consul's controller takes a pod for an instance of."""
    for one in manifests.of_kind("Service"):
        ignored = one["metadata"].get("labels", {}).get(f"{_PREFIX}service-ignore") == "true"
        if not ignored and workload in pods_of(manifests, one):
            yield one
