"""Control groups of the node's pods, version 1 or 2: what has to be there, their part of the processors, their end."""

import os
from contextlib import suppress
from pathlib import Path

from parts.place import PartFailed

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids")
PODS = "kubepods"
SHARES = {f"cpu/{PODS}/cpu.shares": "16384", f"{PODS}/cpu.weight": "1600"}
"""All pods together, as 16 processes beside them. kubelet gives them the part of as many processes as there are
processors, so they starve while other tests or a compiler run, and probes fail."""


def expect_controllers() -> None:
    """Raises PartFailed with the names of those that are missing."""
    unified = ROOT / "cgroup.controllers"
    found = {*unified.read_text().split(), "cpuacct"} if unified.exists() else {path.name for path in ROOT.iterdir()}
    missing = [name for name in CONTROLLERS if name not in found]
    if missing:
        raise PartFailed(f"{ROOT} has no controller {', '.join(missing)}; a node needs {', '.join(CONTROLLERS)}")


def prefer_pods() -> None:
    """To be called when kubelet has made their group; a start of kubelet undoes it."""
    for name, share in SHARES.items():
        if (ROOT / name).exists():
            (ROOT / name).write_text(share)


def remove() -> None:
    """Empty ones of pods, with every controller."""
    for top in (*ROOT.glob(f"*/{PODS}"), ROOT / PODS):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
