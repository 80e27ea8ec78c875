"""Machines outside the cluster: a network namespace beside the node's, with the addresses of the production overlay."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cluster.network import Namespace
from parts.process import run
from tests.cluster.network.listener import LISTEN
from tests.cluster.network.reach import Caller

NAME = "strangler-outside"
NETWORKS = {"192.0.2": 24, "198.51.100": 24}
"""Nobody's, RFC 5737; the node is .1 in each."""


@contextmanager
def machines(node: Namespace, addresses: Sequence[str], ports: Sequence[int]) -> Iterator[None]:
    """Every address listens on every port, to the node and its pods alone."""
    outside = Namespace(NAME)
    outside.remove()
    run(["ip", "netns", "add", NAME])
    try:
        _connect(node, outside, addresses)
        command = [*outside.prefix, sys.executable, "-c", LISTEN, *map(str, ports)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"listens\n"
            yield
            process.terminate()
    finally:
        outside.remove()


def at(address: str) -> Caller:
    """The machine that has this address."""
    return Caller((*Namespace(NAME).prefix, "env", f"SOURCE={address}"))


def _connect(node: Namespace, outside: Namespace, addresses: Sequence[str]) -> None:
    run([*node.prefix, "ip", "link", "add", "out0", "type", "veth", "peer", "name", "out1", "netns", str(outside.path)])
    for network, size in NETWORKS.items():
        run([*node.prefix, "ip", "address", "add", f"{network}.1/{size}", "dev", "out0"])
    for address in addresses:
        run([*outside.prefix, "ip", "address", "add", f"{address}/24", "dev", "out1"])
    run([*node.prefix, "ip", "link", "set", "out0", "up"])
    for link in ("lo", "out1"):
        run([*outside.prefix, "ip", "link", "set", link, "up"])
    run([*outside.prefix, "ip", "route", "add", "default", "via", f"{next(iter(NETWORKS))}.1"])
