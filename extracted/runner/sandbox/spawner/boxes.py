"""Boxes: folders of bounded size, each with a user of its own where this process may change users."""

import itertools
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extracted.runner.sandbox.spawner import kernel

_PREFIX: Final = "polycode-runner-"
MOST_FILES: Final = 4_096
"""In one box."""


@dataclass(frozen=True, slots=True)
class BoxFolder:
    """`lease` holds the user id: no other spawner of this machine takes it meanwhile."""

    path: str
    size: int
    uid: int | None
    lease: socket.socket | None


class NoUserLeft(Exception):
    """All user ids of the range are taken."""


class Boxes:
    """Makes and removes them. As root in mounts of its own, which end with this process."""

    def __init__(self, folder: str, first_uid: int, uids: int) -> None:
        parent = folder or tempfile.gettempdir()
        _sweep(parent)
        self._root = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
        os.chmod(self._root, 0o711)  # noqa: S103  # the users of the boxes pass through it
        self.own_uids = os.geteuid() == 0 and _may_change_users(first_uid)
        self.tmpfs = os.geteuid() == 0 and self._mounts()
        self._uids = range(first_uid, first_uid + uids)
        self._made = 0

    def _mounts(self) -> bool:
        try:
            kernel.own_mounts()
            kernel.mount_tmpfs(self._root, "size=64k,mode=711")
        except OSError:
            return False
        return True

    def make(self, size: int) -> BoxFolder:
        """Raises NoUserLeft, OSError."""
        uid, lease = self._leased() if self.own_uids else (None, None)
        self._made += 1
        path = os.path.join(self._root, str(self._made))
        os.mkdir(path, 0o700)
        if self.tmpfs:
            kernel.mount_tmpfs(path, f"size={size},nr_inodes={MOST_FILES},mode=700")
        if uid is not None:
            os.chown(path, uid, uid)
        return BoxFolder(path, size, uid, lease)

    def remove(self, box: BoxFolder) -> None:
        """Its processes have ended before."""
        if self.tmpfs:
            kernel.unmount(box.path)
            os.rmdir(box.path)
        else:
            _remove(box.path)
        if box.lease is not None:
            box.lease.close()

    def overfull(self, box: BoxFolder) -> bool:
        """Only where the box itself has no bound."""
        return not self.tmpfs and _exceeds(box.path, box.size)

    def close(self) -> None:
        if self.tmpfs:
            kernel.unmount(self._root)
        with suppress(OSError):
            _remove(self._root)

    def _leased(self) -> tuple[int, socket.socket]:
        """An abstract Unix socket is the lease: a name of this machine that ends with its owner."""
        start = secrets.randbelow(len(self._uids))
        for uid in (*self._uids[start:], *self._uids[:start]):
            lease = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lease.bind(f"\0polycode-runner-uid-{uid}")
            except OSError:
                lease.close()
                continue
            return uid, lease
        raise NoUserLeft(f"all {len(self._uids)} user ids from {self._uids.start} on are taken; allow more of them")


def _sweep(parent: str) -> None:
    """Removes the folders of spawners that were killed."""
    for folder in Path(parent).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            if not Path("/proc", pid).exists() and folder.lstat().st_uid == os.geteuid():
                _remove(str(folder))


def _may_change_users(uid: int) -> bool:
    """Root in a container may lack the capability."""
    child = os.fork()
    if child == 0:
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _remove(path: str) -> None:
    """Also unreadable folders, and folders deeper than a path may be long: what is in one moves up before it goes."""
    moved, prefix = itertools.count(), secrets.token_hex(8)
    os.chmod(path, 0o700)
    while names := os.listdir(path):
        for name in names:
            one = os.path.join(path, name)
            if os.path.isdir(one) and not os.path.islink(one):
                _empty(one, lambda: os.path.join(path, f".{prefix}-{next(moved)}"))
                os.rmdir(one)
            else:
                os.unlink(one)
    os.rmdir(path)


def _empty(folder: str, place: Callable[[], str]) -> None:
    os.chmod(folder, 0o700)
    for name in os.listdir(folder):
        inner = os.path.join(folder, name)
        if os.path.isdir(inner) and not os.path.islink(inner):
            os.chmod(inner, 0o700)  # a folder moves only if it may be written
        os.rename(inner, place())


def _exceeds(path: str, size: int) -> bool:
    """Counts blocks, so holes of a file count nothing."""
    used = files = 0
    waiting = [Path(path)]
    while waiting:
        with suppress(OSError):
            for entry in os.scandir(waiting.pop()):
                files += 1
                with suppress(OSError):
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                if used > size or files > MOST_FILES:
                    return True
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
    return False
