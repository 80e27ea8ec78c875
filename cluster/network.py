"""Where a node's programs listen: a network namespace of their own, or, for an API server alone, loopback."""

import ctypes
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from parts import process
from parts.place import PartFailed
from parts.process import run

NODE_ADDRESS = "10.200.0.2"
NODES = "10.200.0.0/24"
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
DNS = "10.96.0.10"
_CLONE_NEWNET = 0x40000000


class Network(Protocol):
    """`prefix`: the beginning of a command that runs there."""

    @property
    def prefix(self) -> Sequence[str]: ...
    def is_open(self, port: int) -> bool: ...


def expect_free(network: Network, port: int) -> None:
    """Raises PartFailed: else a stranger on the port would be taken for the program that is about to start."""
    if network.is_open(port):
        where = " ".join(network.prefix[1:]) or "127.0.0.1"
        raise PartFailed(f"another program has port {port} of {where}; end it (ss -ltnp shows it), then repeat")


class Loopback:
    """This machine's own."""

    prefix: Sequence[str] = ()

    def is_open(self, port: int) -> bool:
        return process.is_open(port)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace without any way out: nothing of the machine's own network is touched or reached."""

    name: str

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    @property
    def prefix(self) -> Sequence[str]:
        """Not `ip netns exec`, which mounts another /sys, where runc finds no cgroups."""
        return ("nsenter", f"--net={self.path}")

    def create(self) -> None:
        """With the node's address. Does nothing if it is there. Raises PartFailed."""
        if self.path.exists():
            return
        run(["ip", "netns", "add", self.name])
        try:
            self._connect()
        except PartFailed:
            self.remove()
            raise

    def _connect(self) -> None:
        run([*self.prefix, "ip", "link", "add", "node0", "type", "veth", "peer", "name", "node1"])
        for link in ("lo", "node1", "node0"):
            run([*self.prefix, "ip", "link", "set", link, "up"])
        run([*self.prefix, "ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "node0"])
        run([*self.prefix, "ip", "route", "add", "default", "via", "10.200.0.1", "dev", "node0"])  # kubelet wants one
        run([*self.prefix, "sysctl", "-qw", "net.ipv4.ip_forward=1"])

    def remove(self) -> None:
        """With its links, rules and routes."""
        if self.path.exists():
            run(["ip", "netns", "delete", self.name])

    def is_open(self, port: int) -> bool:
        """Asked by a thread of its own, which alone enters the namespace."""
        found: list[bool] = []
        asking = threading.Thread(target=lambda: found.append(self._enter_and_connect(port)))
        asking.start()
        asking.join()
        return found == [True]

    def _enter_and_connect(self, port: int) -> bool:
        try:
            with self.path.open("rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True
