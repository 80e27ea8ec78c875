"""The append-only journal: one JSON line per entry, on the disk before it counts."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from strangler_gateway.migration.journal.directory_lock import DirectoryLock
from strangler_gateway.migration.journal.journal_entry import JournalEntry, decode, encode

MAX_LINE = 1 << 20
KEPT = 1000
"""Entries kept in memory for `log`; older ones stay in the file."""


class Journal:
    """`journal.jsonl` in the state directory; one process at a time may write it. Methods block."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.jsonl"
        self.recent: deque[JournalEntry] = deque(maxlen=KEPT)
        self.damaged: deque[int] = deque(maxlen=20)
        """Numbers of the lines that are no entry, such as a torn last line (the process was killed)."""
        self._lock = DirectoryLock(folder)
        self._writing = threading.Lock()

    def open(self) -> None:
        """Makes the directory and takes its lock; may be called again. Raises StateDirInUse, OSError."""
        if self._lock.held:
            return
        self._lock.take()
        try:
            os.close(self._handle())
        except OSError:
            self._lock.release()
            raise

    def close(self) -> None:
        """Releases the lock."""
        self._lock.release()

    def read(self) -> Iterator[JournalEntry]:
        """Every entry, oldest first, in bounded memory; none if there is no file. Raises OSError."""
        self.recent.clear()
        self.damaged.clear()
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            for number, line in enumerate(_lines(file.readline), 1):
                try:
                    entry = decode(line)
                except ValueError:
                    self.damaged.append(number)
                else:
                    self.recent.append(entry)
                    yield entry

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Writes all entries and waits for the disk. Raises OSError, and then none of them counts."""
        with self._writing:
            self.open()
            handle = self._handle()
            try:
                _append(handle, b"".join(map(encode, entries)))
            finally:
                os.close(handle)
            self.recent.extend(entries)

    def _handle(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _append(handle: int, data: bytes) -> None:
    size = os.fstat(handle).st_size
    try:
        _write(handle, _mended(handle, size) + data)
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _mended(handle: int, size: int) -> bytes:
    """A line end if the last line is torn, so that the next one stays whole."""
    return b"" if size == 0 or os.pread(handle, 1, size - 1) == b"\n" else b"\n"


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _lines(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines, each cut at MAX_LINE; the rest of a longer line is skipped."""
    while line := readline(MAX_LINE):
        yield line
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            line = readline(MAX_LINE)
