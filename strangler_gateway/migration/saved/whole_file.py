"""Reads and replaces whole files. A reader sees the old text or the new one, also after a crash."""

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

_UNFINISHED = re.compile(r"\..+\.jsonl?\.[a-z0-9_]{8}")
"""The names that `replace` gives to files before it renames them."""


def read(path: Path, max_bytes: int) -> bytes:
    """The file's bytes. Raises OSError; ValueError if there are more."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"{path.name} has more than {max_bytes} bytes")
    return data


def replace(path: Path, data: bytes, mode: int | None = None) -> None:
    """Writes a file beside it, waits for the disk, renames. Mode and owner stay; a new file is 0600. Raises OSError."""
    old = _stat(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode or (stat.S_IMODE(old.st_mode) if old else 0o600))
            if old is not None:
                _keep_owner(file.fileno(), old)
            os.fsync(file.fileno())
        os.rename(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Removes what killed processes left of unfinished files. Only for a folder that no other process writes."""
    for path in folder.glob(".*.*.*"):
        if _UNFINISHED.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _keep_owner(handle: int, old: os.stat_result) -> None:
    """If permitted: the file of another user, which we can only replace, becomes ours."""
    with contextlib.suppress(PermissionError):
        os.fchown(handle, old.st_uid, old.st_gid)


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a crash; some file systems refuse to sync a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
