"""The lock of a state directory: one gateway at a time. The kernel releases it when the process ends in any way."""

import contextlib
import fcntl
import json
import logging
import os
import socket
import stat
import time
from pathlib import Path

from strangler_gateway.migration.journal.journal_entry import iso

log = logging.getLogger(__name__)

MAX_OWNER = 1000
"""Bytes that are read of what another process wrote into the file."""


class StateDirInUse(OSError):
    """Another process holds the lock; the text says which one, and what to do."""


class DirectoryLock:
    """The file `lock`, held with flock(2). It names its holder, for people; only the kernel's lock counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def take(self) -> None:
        """Makes the directory if there is none. Raises StateDirInUse, OSError, also for a lock file that is a link."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_mode & stat.S_IWOTH:
            log.warning(
                "every user can write to %s, and so change the journal or the signing key; chmod o-w", self._folder
            )
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = _holder(handle)
            os.close(handle)
            raise StateDirInUse(
                f"another gateway uses the state directory {self._folder}: {holder}. Stop it first, or give this one "
                "its own with --state-dir"
            ) from exc
        except OSError:
            os.close(handle)
            raise
        self._handle = handle
        with contextlib.suppress(OSError):  # a full disk: the lock stands, only the name is missing
            _sign(handle)

    def release(self) -> None:
        """Does nothing if it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _sign(handle: int) -> None:
    name = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": iso(time.time())})
    os.ftruncate(handle, 0)
    os.pwrite(handle, name.encode()[:MAX_OWNER], 0)


def _holder(handle: int) -> str:
    """`process 123 on web-1, since 2026-01-31T12:00:00.000Z`; the file may be empty or hold anything."""
    try:
        owner = json.loads(os.pread(handle, MAX_OWNER, 0))
        return f"process {int(owner['pid'])} on {str(owner['host'])[:100]!r}, since {str(owner['since'])[:30]}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "a process that has not said its number"
