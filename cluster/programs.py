"""What a node runs: programs built here once from Go modules, and packages of Debian."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from parts import packages
from parts.go_program import GoProgram
from parts.place import Place

VERSION = "v1.34.4"
"""Of Kubernetes, as kubernetes/go.mod has it. Built without it, the programs call themselves v0.0.0."""
HERE = Path(__file__).parent
_FLAGS = " ".join(f"-X k8s.io/{library}/version.gitVersion={VERSION}" for library in ("component-base", "client-go"))


def _kubernetes(name: str) -> GoProgram:
    return GoProgram(name, HERE / "kubernetes", f"k8s.io/kubernetes/cmd/{name}", _FLAGS)


API_SERVER = _kubernetes("kube-apiserver")
CONTROLLER_MANAGER = _kubernetes("kube-controller-manager")
SCHEDULER = _kubernetes("kube-scheduler")
KUBELET = _kubernetes("kubelet")
PROXY = _kubernetes("kube-proxy")
KUBECTL = _kubernetes("kubectl")
COREDNS = GoProgram("coredns", HERE / "coredns")
FIREWALL = GoProgram("kube-router", HERE / "firewall")
"""Enforces NetworkPolicies, by iptables."""
PAUSE = GoProgram("pause", HERE / "pause")
ENVOY_GATEWAY = GoProgram("envoy-gateway", HERE / "envoy_gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway")
"""No part of a node: a controller that serves exported HTTPRoutes."""

OF_API_SERVER = (KUBECTL, API_SERVER)
OF_EXPORTS = (*OF_API_SERVER, ENVOY_GATEWAY)
OF_NODE = (*OF_API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, FIREWALL, COREDNS, PAUSE)
PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "mount": "mount",
}
"""What a node needs, and the package that brings it."""
MORE_PACKAGES = PACKAGES | {"bwrap": "bubblewrap"}


def install(*names: str) -> None:
    """Those programs, by default what a node needs. Raises PartFailed."""
    missing = [MORE_PACKAGES[name] for name in names or PACKAGES if shutil.which(name) is None]
    if missing:
        packages.install(" ".join(missing), "what a node needs")


def build(place: Place, programs: tuple[GoProgram, ...] = OF_NODE) -> Iterator[str]:
    """What was built, one after another: ten minutes and more the first time. Raises PartFailed."""
    for program in programs:
        if not program.is_built(place):
            begun = time.monotonic()
            program.build(place)
            yield f"{program.name}: built ({time.monotonic() - begun:.0f} s)"


def are_built(place: Place, programs: tuple[GoProgram, ...] = OF_NODE) -> bool:
    """Whether a start needs no compiler."""
    return all(program.is_built(place) for program in programs)
