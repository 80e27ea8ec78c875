"""What protects this machine from a run, by backend, and what one loses without it."""

from dataclasses import dataclass, replace
from typing import Final

from extracted.runner.sandbox.spawner import gvisor
from extracted.runner.sandbox.spawner.messages import Facts

BACKENDS: Final = ("bubblewrap", "plain")
"""The strongest first."""


@dataclass(frozen=True, slots=True)
class Protection:
    """`required`: without it the runner refuses to start, unless RUNNER_ALLOW_WEAK is set."""

    name: str
    active: bool
    detail: str
    without: str
    """What a program can do without it."""
    required: bool = False


def protections(facts: Facts, backend: str) -> list[Protection]:
    """All that count for a backend, with those that it lacks."""
    shared = _shared(facts)
    if backend in gvisor.PLATFORMS:
        shared = [replace(one, required=one.name in _NEEDED_BY_GVISOR) for one in shared]
    return [*_OF_BACKEND[backend](facts), *shared]


def missing(facts: Facts, backend: str) -> list[Protection]:
    """What the backend relies on and does not have."""
    return [one for one in protections(facts, backend) if one.required and not one.active]


def _plain(facts: Facts) -> list[Protection]:
    return [
        Protection(
            "Landlock",
            facts.landlock > 0,
            f"ABI {facts.landlock}" if facts.landlock else "the kernel has none",
            "read and write whatever its user may",
            required=True,
        ),
        _seccomp(facts),
        Protection(
            "signals kept apart",
            facts.landlock >= 6 or facts.own_uids,
            "by Landlock ABI 6" if facts.landlock >= 6 else "by users" if facts.own_uids else "by the filter alone",
            "signal only its first process, so some programs with children do not work",
        ),
        Protection("namespaces", False, "only with bubblewrap", "see the machine's name, processors and clocks"),
    ]


def _bubblewrap(facts: Facts) -> list[Protection]:
    return [
        Protection("namespaces", True, "user, pid, mount, net, ipc, uts, cgroup", "see the machine"),
        _seccomp(facts),
        Protection(
            "Landlock",
            False,
            "not inside bubblewrap, which mounts nothing else",
            "read all of /usr and of its own /proc",
        ),
    ]


def _gvisor(_facts: Facts) -> list[Protection]:
    return [
        Protection("own kernel", True, "gVisor: system calls do not reach the machine's", "use faults of the kernel"),
        Protection("namespaces", True, "process and mount, around runsc", "leave processes and files behind"),
    ]


_OF_BACKEND: Final = {"plain": _plain, "bubblewrap": _bubblewrap, **dict.fromkeys(gvisor.PLATFORMS, _gvisor)}
_NEEDED_BY_GVISOR: Final = frozenset({"own user a run", "control groups", "box of a fixed size"})
"""runsc runs as root, out of reach of the limits that a process inherits."""


def _seccomp(facts: Facts) -> Protection:
    return Protection(
        "seccomp",
        facts.seccomp,
        facts.machine if facts.seccomp else f"not on {facts.machine} with this kernel",
        "use sockets, ptrace, io_uring and all other system calls",
        required=True,
    )


def _shared(facts: Facts) -> list[Protection]:
    return [
        Protection(
            "own user a run",
            facts.own_uids,
            "from RUNNER_FIRST_UID on" if facts.own_uids else "the runner is not root",
            "start processes up to the limit until the watch sees them (every 20 ms)",
        ),
        Protection(
            "control groups",
            facts.cgroup != "none",
            facts.cgroup_missing or facts.cgroup,
            "exceed its memory until the watch sees it (every 20 ms)",
        ),
        Protection(
            "box of a fixed size",
            facts.tmpfs,
            "tmpfs" if facts.tmpfs else "the runner may not mount",
            "fill the folder of boxes until the watch sees it (every 20 ms)",
        ),
        Protection("limits", True, "processor time, address space, size of a file, open files", "use up the machine"),
        Protection("no new privileges", True, "set-user-id programs grant nothing", "become root by a faulty program"),
    ]
