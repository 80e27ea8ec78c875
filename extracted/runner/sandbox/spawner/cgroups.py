"""Control groups: the kernel counts and bounds memory, processes and CPU time of a run as a whole.

A driver makes one group a run, below a group of its own that names the spawner's process. A later spawner removes what
a killed one left.
"""

import errno
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

_PREFIX: Final = "polycode-runner-"
_MOUNTS: Final = Path("/proc/self/mountinfo")
_OWN: Final = Path("/proc/self/cgroup")


class Group(Protocol):
    """The group of one run."""

    @property
    def joined_by(self) -> tuple[str, ...]:
        """The files to which a process writes 0 to join."""

    def cpu_s(self) -> float: ...

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed for memory."""

    def forks_refused(self) -> int: ...

    def remove(self) -> None:
        """Kills what is left in it."""


class Hierarchy(Protocol):
    """Makes groups."""

    name: str

    def group(self, name: str, memory_bytes: int, processes: int) -> Group: ...

    def close(self) -> None: ...


class V1:
    """Three hierarchies: memory, pids, cpuacct."""

    name = "v1"
    _CONTROLLERS = ("memory", "pids", "cpuacct")

    def __init__(self, roots: dict[str, Path], pid: int) -> None:
        """`roots`: this process's group in each hierarchy. Raises OSError if one cannot be written."""
        self._folders = {controller: roots[controller] / f"{_PREFIX}{pid}" for controller in self._CONTROLLERS}
        for folder in self._folders.values():
            _sweep(folder.parent)
            folder.mkdir()

    def group(self, name: str, memory_bytes: int, processes: int) -> "V1Group":
        folders = {controller: folder / name for controller, folder in self._folders.items()}
        for folder in folders.values():
            folder.mkdir()
        memory = folders["memory"]
        _write(memory / "memory.limit_in_bytes", memory_bytes)
        with suppress(OSError):  # only where the kernel accounts swap
            _write(memory / "memory.memsw.limit_in_bytes", memory_bytes)
        _write(folders["pids"] / "pids.max", processes)
        return V1Group(folders)

    def close(self) -> None:
        for folder in self._folders.values():
            _remove(folder)


class V1Group:
    """See Group."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders
        # Not `cgroup.procs`, which waits some 10 ms for the kernel: who joins is a fork, which has one thread.
        self.joined_by = tuple(str(folder / "tasks") for folder in folders.values())

    def cpu_s(self) -> float:
        return int(_read(self._folders["cpuacct"] / "cpuacct.usage")) / 1e9

    def oom_kills(self) -> int:
        return _counted(self._folders["memory"] / "memory.oom_control", "oom_kill")

    def forks_refused(self) -> int:
        return _counted(self._folders["pids"] / "pids.events", "max")

    def remove(self) -> None:
        for folder in self._folders.values():
            _remove(folder)


class V2:
    """One hierarchy. Its own group must be this process's alone: inner groups may not hold processes."""

    name = "v2"
    _CONTROLLERS = "+memory +pids +cpu"

    def __init__(self, root: Path, pid: int) -> None:
        """`root`: this process's group. Raises OSError if the controllers cannot be handed on."""
        _sweep(root)
        self._folder = root / f"{_PREFIX}{pid}"
        self._folder.mkdir()
        try:
            self._hand_on(root)
            (self._folder / "cgroup.subtree_control").write_text(self._CONTROLLERS)
        except OSError:
            _remove(self._folder)
            raise

    def _hand_on(self, root: Path) -> None:
        """Only the top of the hierarchy, and a group without processes, can hand on controllers at once."""
        try:
            (root / "cgroup.subtree_control").write_text(self._CONTROLLERS)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            self._make_room(root)
            (root / "cgroup.subtree_control").write_text(self._CONTROLLERS)

    def _make_room(self, root: Path) -> None:
        leaf = root / "polycode-supervisor"
        leaf.mkdir(exist_ok=True)
        for process in (root / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(process)

    def group(self, name: str, memory_bytes: int, processes: int) -> "V2Group":
        folder = self._folder / name
        folder.mkdir()
        _write(folder / "memory.max", memory_bytes)
        _write(folder / "pids.max", processes)
        with suppress(OSError):  # no swap, or an old kernel
            _write(folder / "memory.swap.max", 0)
        with suppress(OSError):
            _write(folder / "memory.oom.group", 1)
        return V2Group(folder)

    def close(self) -> None:
        _remove(self._folder)


class V2Group:
    """See Group."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.joined_by = (str(folder / "cgroup.procs"),)

    def cpu_s(self) -> float:
        return _counted(self._folder / "cpu.stat", "usage_usec") / 1e6

    def oom_kills(self) -> int:
        return _counted(self._folder / "memory.events", "oom_kill")

    def forks_refused(self) -> int:
        return _counted(self._folder / "pids.events", "max")

    def remove(self) -> None:
        with suppress(OSError):
            self._folder.rmdir()
            return
        with suppress(OSError):
            _write(self._folder / "cgroup.kill", 1)
        _remove(self._folder)


def found(pid: int) -> tuple[Hierarchy | None, str]:
    """The driver that works here, or None and why."""
    mounts = _mounts(_MOUNTS.read_text().splitlines())
    groups = dict(_memberships(_OWN.read_text().splitlines()))
    try:
        if {"memory", "pids", "cpuacct"} <= mounts.keys():
            return V1({name: _place(mounts[name], groups.get(name, "/")) for name in V1._CONTROLLERS}, pid), ""
        if "" in mounts:
            return V2(_place(mounts[""], groups.get("", "/")), pid), ""
    except OSError as error:
        return None, f"{error.filename or 'a control group'} cannot be written ({error.strerror})"
    return None, "no cgroup file system is mounted"


def _mounts(lines: Iterable[str]) -> dict[str, tuple[Path, str]]:
    """By controller (empty for v2): the mount point, and which part of the hierarchy it shows."""
    found: dict[str, tuple[Path, str]] = {}
    for line in lines:
        left, _, right = line.partition(" - ")
        kind, _, options = right.partition(" ")
        shown, point = left.split()[3:5]
        if kind == "cgroup2":
            found[""] = Path(point), shown
        elif kind == "cgroup":
            found.update((name, (Path(point), shown)) for name in options.split()[-1].split(","))
    return found


def _memberships(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """By controller: this process's group."""
    for line in lines:
        _, controllers, group = line.split(":", 2)
        for name in controllers.split(","):
            yield name, group


def _place(mount: tuple[Path, str], group: str) -> Path:
    """Where the group is in the file system."""
    point, shown = mount
    return point / group.removeprefix(shown.rstrip("/")).lstrip("/")


def _sweep(root: Path) -> None:
    """Removes the groups of spawners that are no more."""
    for folder in root.glob(f"{_PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX)).exists():
            _remove(folder)


def _remove(folder: Path) -> None:
    """Kills the processes of the group and of those below it; a group with a process that still ends stays."""
    with suppress(OSError):
        folder.rmdir()
        return
    with suppress(OSError):
        for below in [one for one in folder.iterdir() if one.is_dir()]:
            _remove(below)
    with suppress(OSError):
        for process in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
    with suppress(OSError):
        folder.rmdir()


def _write(file: Path, value: int) -> None:
    """One system call to open, one to write: such files are written for every run."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, b"%d" % value)
    finally:
        os.close(descriptor)


def _read(file: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def _counted(file: Path, name: str) -> int:
    """The number behind `name` in a file of names and numbers, 0 if it is not there."""
    with suppress(OSError):
        words = _read(file).decode().split()
        if name in words[::2]:
            return int(words[2 * words[::2].index(name) + 1])
    return 0
