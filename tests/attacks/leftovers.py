"""What a run may have left on this machine: looked for through /proc, by the users that boxes have here."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from extracted.runner.sandbox.spawner import processes

_OPEN_TO_ALL = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Lists, so that a failing test shows what is left."""

    processes: tuple[str, ...]
    files: tuple[str, ...]
    mounts: tuple[str, ...]
    ipc: tuple[str, ...]
    groups: tuple[str, ...]
    descriptors: int
    """Of the spawner."""


def left(spawner: int, uids: range, *, own: bool) -> Leftovers:
    """`own`: boxes have users of their own, out of `uids`, which nothing else on this machine uses."""
    return Leftovers(
        processes=tuple(map(str, processes.children(spawner))) + (_processes(uids) if own else ()),
        files=_files(uids) if own else (),
        mounts=_mounts(spawner),
        ipc=_ipc(uids) if own else (),
        groups=_groups(spawner),
        descriptors=len(os.listdir(f"/proc/{spawner}/fd")),
    )


def _processes(uids: range) -> tuple[str, ...]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lines = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
            if int(lines["Uid"].split()[0]) in uids:
                found.append(f"{folder.name} {lines['Name']}")
    return tuple(found)


def _files(uids: range) -> tuple[str, ...]:
    found = []
    for folder in filter(os.path.isdir, _OPEN_TO_ALL):
        for one in map(Path(folder).joinpath, os.listdir(folder)):
            with suppress(FileNotFoundError):  # somebody else's, removed since
                if one.lstat().st_uid in uids:
                    found.append(str(one))
    return tuple(found)


def _mounts(spawner: int) -> tuple[str, ...]:
    """Boxes that are still mounted, in its mounts and in ours."""
    lines = [*Path(f"/proc/{spawner}/mountinfo").read_text().splitlines(), *_own_mounts()]
    points = [line.split()[4] for line in lines]
    return tuple(one for one in points if f"polycode-runner-{spawner}-" in one and one.rpartition("/")[2].isdigit())


def _own_mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


def _ipc(uids: range) -> tuple[str, ...]:
    found = []
    for kind in ("shm", "sem", "msg"):
        for line in Path("/proc/sysvipc", kind).read_text().splitlines()[1:]:
            if any(word.isdigit() and int(word) in uids for word in line.split()):
                found.append(f"{kind} {line}")
    return tuple(found)


def _groups(spawner: int) -> tuple[str, ...]:
    root = Path("/sys/fs/cgroup")
    own = [one for pattern in ("*", "*/*", "*/*/*") for one in root.glob(f"{pattern}/polycode-runner-{spawner}")]
    return tuple(str(one) for folder in own for one in folder.iterdir() if one.is_dir())
