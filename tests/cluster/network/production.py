"""The production overlay's policies over pods that listen where the real ones would, beside the system that runs."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any

import yaml

from cluster.kubectl import Kubectl
from images.engine import ROOT
from tests.cluster.network.listener import listener
from tests.cluster.network.reach import Addresses
from tests.cluster.pods import namespace_named, running

OVERLAY = ROOT / "k8s/overlays/production"
LISTENS = (8080, 8081, 8102, 8103, 8104, 8105, 8106, 8125, 8501, 8502, 20000)
"""Every port of the gateway and the services, Consul's and Envoy's: each pod listens on all of them."""
OWN = ("polycode", "polycode-runner", "polycode-operators")
SUFFIX = "-as-in-production"
FOREIGN = {"ingress": "ingress", "prometheus": "monitoring", "consul": "consul", "elsewhere": "elsewhere"}
"""What the overlay expects beside it, by name: the namespace."""
CONTROLLERS = {"Deployment", "StatefulSet", "Job", "CronJob"}


def objects(kubectl: Kubectl) -> Sequence[Any]:
    """Namespaces, policies, and a pod for each workload with its labels and ports."""
    rendered = [*yaml.safe_load_all(_beside_the_system(kubectl.run("kustomize", str(OVERLAY))))]
    policies = [one for one in rendered if one["kind"] == "NetworkPolicy"]
    pods = [_stands_for(one) for one in rendered if one["kind"] in CONTROLLERS]
    [gateway] = [one for one in pods if one["metadata"]["name"] == "gateway"]
    second = gateway | {"metadata": gateway["metadata"] | {"name": "other-gateway"}}
    stranger = listener(OWN[0] + SUFFIX, "stranger", {}, LISTENS, [])
    foreign = [listener(namespace + SUFFIX, name, {}, LISTENS, []) for name, namespace in FOREIGN.items()]
    namespaces = [namespace_named(name + SUFFIX) for name in (*OWN, *FOREIGN.values())]
    return [*namespaces, *policies, *pods, second, stranger, *foreign]


def _beside_the_system(manifests: str) -> str:
    """The system runs in the namespaces of these names, so each gets SUFFIX, but for that of CoreDNS."""
    named = r"^( *(?:namespace|kubernetes\.io/metadata\.name)): (?!kube-system$)(\S+)$"
    return re.sub(named, rf"\1: \2{SUFFIX}", manifests, flags=re.MULTILINE)


def _stands_for(workload: Any) -> Any:
    spec = workload["spec"]["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else workload["spec"]
    template, name = spec["template"], workload["metadata"]
    ports = template["spec"]["containers"][0].get("ports", [])
    return listener(name["namespace"], name["name"], template["metadata"]["labels"], LISTENS, ports)


@contextmanager
def applied(kubectl: Kubectl) -> Iterator[Mapping[str, str]]:
    """Gives the address of each pod, by name."""
    found = objects(kubectl)
    with running(kubectl, found):
        yield _addresses(kubectl, {one["metadata"]["name"] for one in found if one["kind"] == "Namespace"})


def _addresses(kubectl: Kubectl, namespaces: Set[str]) -> Mapping[str, str]:
    pods = kubectl.json("get", "pods", "--all-namespaces")["items"]
    ours = [one for one in pods if one["metadata"]["namespace"] in namespaces]
    return {one["metadata"]["name"]: one["status"]["podIP"] for one in ours}


def everything(pods: Mapping[str, str], servers: Mapping[str, str], ports: Sequence[int]) -> Addresses:
    """Every port of every pod, and of every server outside, named `pod:port`."""
    inside = {f"{name}:{port}": (address, port) for name, address in pods.items() for port in LISTENS}
    return inside | {f"{name}:{port}": (address, port) for name, address in servers.items() for port in ports}
