"""Whom a pod, or a machine outside, reaches by TCP."""

import json
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cluster.kubectl import Kubectl
from parts.process import run
from tests.cluster.system import eventually

CONNECT = Path(__file__).with_name("connect.py").read_text()
WITHIN_S = 180.0

Addresses = Mapping[str, tuple[str, int]]
"""Where each target is: address and port by name."""
NAMES: Addresses = {"names": ("kubernetes.default.svc.cluster.local.", 0)}
"""Reached by who can look up names of the cluster."""


@dataclass(frozen=True, slots=True)
class Caller:
    """`command`: what runs a Python program there."""

    command: Sequence[str | Path]

    def reaches(self, targets: Addresses) -> set[str]:
        """The names of those that accept a connection."""
        wanted = json.dumps([[name, *address] for name, address in targets.items()])
        return set(json.loads(run([*self.command, "python3", "-c", CONNECT, wanted])))


def pod(kubectl: Kubectl, namespace: str, name: str) -> Caller:
    """`name`: of a pod, or such as `deployment/shop`."""
    return Caller((kubectl.program, f"--namespace={namespace}", "exec", name, "--"))


@dataclass(frozen=True, slots=True)
class Row:
    """What a caller reaches of all targets."""

    name: str
    caller: Caller
    targets: Addresses
    expected: Set[str]

    def fault(self) -> str | None:
        """What is different, if anything. Asks again for a while: the network learns of policies a moment later."""
        found: set[str] = set()

        def is_so() -> bool:
            found.clear()
            found.update(self.caller.reaches(self.targets))
            return found == self.expected

        try:
            eventually(is_so, self.name, WITHIN_S)
        except AssertionError:
            more, less = sorted(found - self.expected), sorted(self.expected - found)
            return f"{self.name} also reaches {more}, and does not reach {less}"
        return None


def expect(rows: Sequence[Row]) -> None:
    """All at the same time. Raises AssertionError with all faults."""
    with ThreadPoolExecutor(len(rows)) as threads:
        faults = [fault for fault in threads.map(Row.fault, rows) if fault]
    assert not faults, "\n".join(faults)
