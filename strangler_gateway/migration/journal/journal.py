"""The append-only journal: one JSON line per entry, on the disk before it counts.

A file that has become long is kept as `journal.1.jsonl`, and the next one begins with where every movable stands. So a
start needs only the newest file, and the older ones only serve `strangler log`.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from strangler_gateway.migration.journal.directory_lock import DirectoryLock
from strangler_gateway.migration.journal.journal_entry import (
    NOT_SHOWN,
    JournalEntry,
    JournalEvent,
    Standing,
    after,
    decode,
    encode,
    standing_entry,
)
from strangler_gateway.migration.saved import whole_file

log = logging.getLogger(__name__)

MAX_BYTES = 4 << 20
"""A longer file is rotated after the next entry."""
OLDER = 4
"""Files that are kept besides the newest."""
MAX_LINE = 1 << 20
KEPT = 1000
"""Entries kept in memory for `log`; older ones stay in the file."""


class Journal:
    """`journal.jsonl` in the state directory; one process at a time may write it. Methods block."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = folder / "journal.jsonl"
        self.standings: dict[str, Standing] = {}
        """What the entries that were read and written lead to."""
        self.recent: deque[JournalEntry] = deque(maxlen=KEPT)
        self.damaged: deque[int] = deque(maxlen=20)
        """Numbers of the newest file's lines that are no entry, such as a torn last line (the process was killed)."""
        self._max_bytes = max_bytes
        self._is_read = False
        self._begun = 0
        """Bytes with which the newest file began."""
        self._lock = DirectoryLock(folder)
        self._writing = threading.Lock()

    def open(self) -> None:
        """Makes the directory and takes its lock; may be called again. Raises StateDirInUse, OSError."""
        if self._lock.held:
            return
        self._lock.take()
        try:
            os.close(self._handle())
            whole_file.sweep(self.path.parent)
        except OSError:
            self._lock.release()
            raise

    def close(self) -> None:
        """Releases the lock."""
        self._lock.release()

    def read(self) -> Iterator[JournalEntry]:
        """Every entry that is kept, oldest first, in bounded memory; none if there is no file. Raises OSError."""
        self.recent.clear()
        self.damaged.clear()
        self.standings.clear()
        if self.path.exists():
            for path in self._older():
                with contextlib.suppress(OSError), path.open("rb") as file:  # what it holds is for people alone
                    yield from (entry for entry in map(_entry, _lines(file.readline)) if entry and self._note(entry))
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            for number, line in enumerate(_lines(file.readline), 1):
                entry = _entry(line)
                if entry is None:
                    self.damaged.append(number)
                elif self._note(entry):
                    yield entry
        self._is_read = True

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Writes all entries and waits for the disk. Raises OSError, and then none of them counts."""
        with self._writing:
            self.open()
            handle = self._handle()
            try:
                size = _append(handle, b"".join(map(encode, entries)))
            finally:
                os.close(handle)
            for entry in entries:
                self._note(entry)
            if self._is_read and size > max(self._max_bytes, 2 * self._begun):
                self._rotate()

    def _note(self, entry: JournalEntry) -> bool:
        """Whether it is an entry to be shown."""
        if entry.event is not JournalEvent.FORGOTTEN:
            self.standings[entry.unit] = after(self.standings.get(entry.unit), entry)
        shown = entry.event not in NOT_SHOWN
        if shown:
            self.recent.append(entry)
        return shown

    def _rotate(self) -> None:
        """Copies the file, then replaces it at once: a process that is killed in between leaves the old one whole."""
        try:
            text = self.path.read_bytes()
            if not self._is_copied(text):
                self._make_room()
            whole_file.replace(self._numbered(1), text, 0o600)
            beginning = b"".join(encode(standing_entry(unit, here)) for unit, here in self.standings.items())
            whole_file.replace(self.path, beginning, 0o600)
            self._begun = len(beginning)
        except OSError as exc:
            log.warning("the journal is not rotated and goes on growing: %s", exc)

    def _is_copied(self, text: bytes) -> bool:
        """Whether `journal.1.jsonl` is a copy of the newest file already: a rotation was interrupted."""
        with contextlib.suppress(FileNotFoundError):
            copy = self._numbered(1).read_bytes()
            return bool(copy) and text.startswith(copy)
        return False

    def _make_room(self) -> None:
        """Gives each older file the next number, down from the first free one; the oldest goes."""
        numbers = [number for number in range(1, OLDER) if self._numbered(number).exists()]
        free = next((number for number in range(1, OLDER) if number not in numbers), OLDER)
        for number in range(free - 1, 0, -1):
            os.rename(self._numbered(number), self._numbered(number + 1))

    def _older(self) -> list[Path]:
        """The files before the newest, oldest first."""
        found = [self._numbered(number) for number in range(OLDER, 0, -1)]
        try:
            copied = self._is_copied(self.path.read_bytes())
        except OSError:
            copied = False
        return found[:-1] if copied else found

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"journal.{number}.jsonl")

    def _handle(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _entry(line: bytes) -> JournalEntry | None:
    """None: the line is damaged."""
    try:
        return decode(line)
    except ValueError:
        return None


def _append(handle: int, data: bytes) -> int:
    """Returns the size of the file."""
    size = os.fstat(handle).st_size
    try:
        _write(handle, _mended(handle, size) + data)
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise
    return os.fstat(handle).st_size


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
