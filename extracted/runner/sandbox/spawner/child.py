"""What a run does between fork and exec: it takes its limits and gives up its rights, in an order that matters."""

import fcntl
import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, Never

from extracted.runner.sandbox.spawner import bubblewrap, gvisor, kernel, landlock, seccomp, visible
from extracted.runner.sandbox.spawner.boxes import BoxFolder
from extracted.runner.sandbox.spawner.messages import Facts, RunRequest

_ERRORS: Final = 3
"""The descriptor to which a child writes why it could not start; exec closes it."""
_GATE: Final = 4
"""The descriptor on which a held run waits for a byte."""
_BEYOND_MEMORY: Final = 1 << 30
"""How much more address space than memory: threads and allocators reserve what they never use."""
_BEYOND_PROCESSES: Final = 8
"""How many processes more than the control group or the watch allows: those two know that the limit was reached."""
_SYSTEM_CALL: Final = "a system call of the sandbox failed"


@dataclass(frozen=True, slots=True)
class Filters:
    """Programs for seccomp."""

    plain: bytes | None
    bubblewrap: bytes | None
    """It allows sessions: a process namespace holds all processes of the run."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens."""

    box: BoxFolder
    groups: Sequence[str]
    """Files that put a process into its control groups."""
    facts: Facts
    filters: Filters


def filters(facts: Facts) -> Filters:
    """None where the architecture has none."""
    if not facts.seccomp:
        return Filters(None, None)
    return Filters(seccomp.program(facts.machine, sessions=False), seccomp.program(facts.machine, sessions=True))


@dataclass(frozen=True, slots=True)
class Started:
    """A process that becomes a run. The descriptors are the caller's to close."""

    pid: int
    errors: int
    """From it is read why the run could not start."""
    gate: int
    """To it a byte is written that lets a held run begin."""


def start(request: RunRequest, place: Place, streams: Sequence[int]) -> Started:
    """Forks. Raises OSError."""
    parent = os.getpid()
    errors, theirs = os.pipe()
    gate, ours = os.pipe()
    child = os.fork()
    if child == 0:
        _become(request, place, (*streams, theirs, gate), parent)
    os.close(theirs)
    os.close(gate)
    return Started(child, errors, ours)


def _become(request: RunRequest, place: Place, descriptors: Sequence[int], parent: int) -> Never:
    try:
        _only_these(descriptors)
        _leave_the_spawner(place.groups)
        os.chdir(place.box.path)
        if request.backend not in gvisor.PLATFORMS:
            _limit(request, shared_user=place.box.uid is None)
            _change_user(place.box.uid)
        _die_with(parent)
        _BACKENDS[request.backend](request, place)
    except BaseException as error:  # whatever it is: this process must not go on as a second spawner
        os.write(_ERRORS, f"{_SYSTEM_CALL}: {error}".encode())
    os._exit(125)


def _only_these(descriptors: Sequence[int]) -> None:
    """0 to 2 are the run's, then come the errors and the gate; nothing else of the spawner stays open."""
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _GATE + 1) for one in descriptors]
    for number, one in enumerate(high):
        os.dup2(one, number, inheritable=number < _ERRORS)
    kernel.close_from(_GATE + 1)


def _leave_the_spawner(groups: Sequence[str]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    os.umask(0o077)
    for file in groups:
        _write(file, b"0")
    _write("/proc/self/oom_score_adj", b"1000")


def _write(file: str, value: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY)
    os.write(descriptor, value)
    os.close(descriptor)


def _limit(request: RunRequest, *, shared_user: bool) -> None:
    for name, most in _limits(request, shared_user=shared_user).items():
        which = getattr(resource, name)
        highest = resource.getrlimit(which)[1]
        bound = most if highest == resource.RLIM_INFINITY else min(most, highest)
        resource.setrlimit(which, (bound, bound))


def _limits(request: RunRequest, *, shared_user: bool) -> dict[str, int]:
    """The limit of processes counts all of a user: without one of its own, the watch alone counts."""
    limits = {
        "RLIMIT_CPU": ceil(request.cpu_s) + 1,
        "RLIMIT_FSIZE": request.file_bytes,
        "RLIMIT_NOFILE": request.open_files,
        "RLIMIT_CORE": 1,  # 1, not 0: also where core files go to a program
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
    if not shared_user:
        limits["RLIMIT_NPROC"] = request.processes + _BEYOND_PROCESSES
    if request.address_space:
        limits["RLIMIT_AS"] = request.memory_bytes + _BEYOND_MEMORY
    return limits


def _change_user(uid: int | None) -> None:
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _die_with(parent: int) -> None:
    """After the change of user, which would reset it."""
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the spawner has ended")


def _plain(request: RunRequest, place: Place) -> None:
    facts = place.facts
    kernel.no_new_privileges()
    if facts.landlock:
        landlock.restrict(facts.landlock, _rules(request.readable), place.box.path)
    if place.filters.plain:
        shared = facts.landlock < 6 and place.box.uid is None
        own = seccomp.program(facts.machine, sessions=False, own_process=os.getpid()) if shared else None
        kernel.install_filter(own or place.filters.plain)
    environ = _environment(request.environ, place.box.path)
    if request.held:
        _wait_at_the_gate()
    os.execve(request.argv[0], request.argv, environ)  # noqa: S606


def _wait_at_the_gate() -> None:
    """Nobody opens it any more if the spawner has ended."""
    if not os.read(_GATE, 1):
        os._exit(125)


def _rules(readable: Sequence[str]) -> list[tuple[str, int]]:
    return [
        *((path, landlock.READ) for path in (*visible.PROGRAMS, *visible.SETTINGS, *readable)),
        *((path, landlock.READ & ~landlock.EXECUTE) for path in visible.OF_THE_KERNEL),
        *((path, landlock.DEVICE) for path in visible.DEVICES),
    ]


def _bubblewrap(request: RunRequest, place: Place) -> None:
    """bubblewrap installs the filter itself: it needs mounts until just before."""
    filter_fd = _piped(place.filters.bubblewrap) if place.filters.bubblewrap else None
    os.set_inheritable(_GATE, request.held)
    gate = _GATE if request.held else None
    argv = bubblewrap.arguments(place.box.path, request.readable, filter_fd, request.argv, gate)
    os.execve(argv[0], argv, _environment(request.environ, bubblewrap.BOX))  # noqa: S606


def _piped(content: bytes) -> int:
    """A descriptor from which exactly this is read; it fits into a pipe."""
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    os.set_inheritable(read, True)
    return read


def _gvisor(request: RunRequest, place: Place) -> None:
    """runsc itself needs root; the program has its limits and its user inside."""
    box, uid = place.box.path, place.box.uid or 0
    folder = os.path.join(os.path.dirname(box), "gvisor")
    os.umask(0o022)
    gvisor.enter_namespaces(folder, _ERRORS)
    limits = {**_limits(request, shared_user=False), "RLIMIT_NPROC": request.processes}
    process = gvisor.process(request.argv, _environment(request.environ, gvisor.BOX), uid, limits)
    gvisor.bundle(folder, box, request.readable, process)
    argv = list(gvisor.arguments(request.backend, folder))
    os.execve(argv[0], argv, {})  # noqa: S606


_BACKENDS: Final[dict[str, Callable[[RunRequest, Place], None]]] = {
    "plain": _plain,
    "bubblewrap": _bubblewrap,
    **dict.fromkeys(gvisor.PLATFORMS, _gvisor),
}


def _environment(environ: dict[str, str], home: str) -> dict[str, str]:
    return {**visible.ENVIRONMENT, "HOME": home, "TMPDIR": home, **environ}
