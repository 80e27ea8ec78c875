"""The journal outlives kills, torn lines and full disks, and reads what it wrote."""

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.cluster.record import GroupRecord, Hold, RollbackName, decide, holds, position, release, rollback
from strangler_gateway.migration.journal.directory_lock import StateDirInUse
from strangler_gateway.migration.journal.journal import MAX_LINE, Journal
from strangler_gateway.migration.journal.journal_entry import (
    JournalEntry,
    JournalEvent,
    Standing,
    after,
    decode,
    encode,
    standing_entry,
)
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.table.position import LEGACY, Position
from strangler_gateway.table.routes import MigrationState

SHADOW = Position(MigrationState.SHADOW)
DECIDED = decide(GroupRecord(), SHADOW, 1.0, who="alice", file="f1")
ROLLED_BACK = rollback(DECIDED, RollbackName("7f3a", 2), Hold(1_700_000_000.125, "bob", "it fails"))
RECORDS = [GroupRecord(), DECIDED, ROLLED_BACK, release(ROLLED_BACK, holds(ROLLED_BACK))]


def entry(
    time: float, event: JournalEvent, before: Position, to: Position, who: str = "bob", why: str = "", **more: Any
) -> JournalEntry:
    return JournalEntry(time, event, "items", who, why, before, to, **more)


FLIP = entry(1_700_000_000.125, JournalEvent.FLIP, LEGACY, SHADOW, "alice (127.0.0.1)", "it is ready")


def entries(folder: Path) -> list[JournalEntry]:
    return list(Journal(folder).read())


def append(folder: Path, *wanted: JournalEntry) -> None:
    journal = Journal(folder)
    journal.append(wanted)
    journal.close()


def test_what_is_appended_is_read_again_and_by_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert entries(folder) == []
    append(folder, FLIP, FLIP)
    append(folder, FLIP)
    assert entries(folder) == [FLIP] * 3
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "journal.jsonl")] == [0o700, 0o600]


def test_a_last_line_without_its_line_end_counts(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(encode(FLIP).rstrip())
    append(tmp_path, FLIP)
    assert entries(tmp_path) == [FLIP, FLIP]


def test_a_process_killed_while_it_writes_leaves_whole_entries(tmp_path: Path) -> None:
    program = """
        import sys
        from dataclasses import replace
        from pathlib import Path
        from strangler_gateway.migration.journal.journal import Journal
        from tests.unit.strangler_gateway.migration.journal.test_journal import FLIP
        journal = Journal(Path(sys.argv[1]))
        for number in range(100_000):
            journal.append([replace(FLIP, why=str(number))])
            print(number, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "20":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        told = [20, *map(int, process.stdout.read().split())]
    append(tmp_path, FLIP)
    *kept, last = entries(tmp_path)
    assert last == FLIP
    assert [int(entry.why) for entry in kept] == list(range(len(kept)))
    assert len(kept) > told[-1]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    append(tmp_path, FLIP)
    journal, write = Journal(tmp_path), os.write

    def full(handle: int, data: bytes = b"") -> int:
        if len(data) > 10:
            return write(handle, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(OSError, match="No space"):
            journal.append([replace(FLIP, why="long " * 100)] * 2)
    assert (tmp_path / "journal.jsonl").read_bytes() == encode(FLIP)
    assert not journal.recent
    journal.append([FLIP])
    assert entries(tmp_path) == [FLIP, FLIP]


DAMAGED = {
    "blank": b"\n",
    "empty": b"{}\n",
    "list": b"[]\n",
    "null": b"null\n",
    "bytes": b"\xff\xfe\n",
    "other": b'{"time":1}\n',
    "deep": b"[" * 5000 + b"\n",
    "long": b"x" * (3 * MAX_LINE) + b"\n",
    "torn at once": encode(FLIP)[:1],
    "torn later": encode(FLIP)[:-2],
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_skipped_and_told(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(encode(FLIP) + line)
    append(tmp_path, FLIP)
    journal = Journal(tmp_path)
    assert list(journal.read()) == [FLIP, FLIP]
    assert list(journal.damaged) == [2]


def test_only_the_latest_entries_stay_in_memory(tmp_path: Path) -> None:
    append(tmp_path, *[FLIP] * 1500)
    journal = Journal(tmp_path)
    assert sum(1 for _ in journal.read()) == 1500
    assert len(journal.recent) == 1000


def test_one_process_at_a_time_writes_and_the_other_learns_which_one(tmp_path: Path) -> None:
    first, second = Journal(tmp_path), Journal(tmp_path)
    first.open()
    with pytest.raises(StateDirInUse, match=rf"another gateway uses .*: process {os.getpid()} on .*--state-dir"):
        second.append([FLIP])
    first.close()
    second.append([FLIP])
    second.close()
    assert entries(tmp_path) == [FLIP]


@pytest.mark.parametrize("owner", [b"", b"\xff", b"[]", b'{"pid": "x", "host": "", "since": ""}', b"[" * 2000])
def test_whatever_the_lock_file_says_only_the_lock_counts(tmp_path: Path, owner: bytes) -> None:
    first, second = Journal(tmp_path), Journal(tmp_path)
    (tmp_path / "lock").write_bytes(owner)
    first.open()
    (tmp_path / "lock").write_bytes(owner)
    with pytest.raises(StateDirInUse, match="a process that has not said its number"):
        second.open()
    first.close()


@pytest.mark.parametrize("name", ["lock", "journal.jsonl"])
def test_a_link_in_the_state_directory_leads_to_no_other_file(tmp_path: Path, name: str) -> None:
    state, other = tmp_path / "state", tmp_path / "other"
    state.mkdir(mode=0o777)
    other.write_text("somebody's")
    (state / name).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        Journal(state).open()
    assert other.read_text() == "somebody's"


def test_a_state_directory_that_everybody_can_write_to_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for mode, told in ((0o770, False), (0o707, True)):
        tmp_path.chmod(mode)
        caplog.clear()
        journal = Journal(tmp_path)
        journal.open()
        journal.close()
        assert ("every user can write to" in caplog.text) is told


SMALL = 1_000
"""Bytes of a file of the journal in these tests: some five entries."""


def written(folder: Path, entries: Iterable[JournalEntry]) -> Journal:
    """A journal of small files with these entries, each appended alone."""
    journal = Journal(folder, SMALL)
    list(journal.read())
    for one in entries:
        journal.append([one])
    return journal


def numbered(first: int, number: int) -> list[JournalEntry]:
    """Moves of two movables, one of them held now and then; `why` tells them apart."""
    moves = [
        FLIP,
        replace(FLIP, unit="orders", baseline={"read": (1, 2, 3, 4, 5)}),
        entry(0, JournalEvent.ROLLBACK, SHADOW, LEGACY),
    ]
    return [replace(moves[n % 3], time=1_700_000_000.0 + n, why=f"{n}") for n in range(first, first + number)]


def folded(entries: Iterable[JournalEntry]) -> dict[str, Standing]:
    standings: dict[str, Standing] = {}
    for one in entries:
        standings[one.unit] = after(standings.get(one.unit), one)
    return standings


def test_a_long_journal_is_rotated_bounded_and_says_where_everything_stands(tmp_path: Path) -> None:
    moves = numbered(0, 60)
    written(tmp_path, moves).close()
    again = Journal(tmp_path, SMALL)
    kept = list(again.read())
    assert (again.standings, list(again.damaged)) == (folded(moves), [])
    assert kept == list(again.recent) == moves[-len(kept) :]
    assert 10 < len(kept) < 60
    files = sorted(tmp_path.glob("journal*"))
    names = [file.name for file in files]
    assert names == [
        "journal.1.jsonl",
        "journal.2.jsonl",
        "journal.3.jsonl",
        "journal.4.jsonl",
        "journal.jsonl",
    ]
    assert all(file.stat().st_size < 3 * SMALL and file.stat().st_mode & 0o777 == 0o600 for file in files)
    for file in files[:-1]:
        file.write_bytes(b"\xff\n")
    assert Journal(tmp_path).standings == {}
    alone = Journal(tmp_path)
    assert len(list(alone.read())) < len(kept)
    assert alone.standings == folded(moves)


KILLABLE = ["rename", "fsync", "write", "fchmod", "close"]


def killed_at(folder: Path, number: int, entries: Sequence[JournalEntry]) -> bool:
    """Appends in a child process that is killed at its `number`-th system call; whether it came so far."""
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def deadly(call: Any) -> Any:
            def wrapped(*given: Any, **named: Any) -> Any:
                if next(calls) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*given, **named)

            return wrapped

        try:
            journal = Journal(folder, SMALL)
            list(journal.read())
            journal.open()
            for name in KILLABLE:
                setattr(os, name, deadly(getattr(os, name)))
            for one in entries:
                journal.append([one])
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_at_any_point_of_a_rotation_loses_no_standing_and_no_entry(tmp_path: Path) -> None:
    written(tmp_path / "0", numbered(0, 20)).close()
    more, seen = numbered(20, 6), set()
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "0", folder)
        killed = killed_at(folder, number, more)
        seen.add(tuple(sorted(file.name for file in folder.glob("journal*"))))
        after_kill = Journal(folder, SMALL)
        kept = list(after_kill.read())
        sure = int(kept[-1].why) + 1
        moves = numbered(0, sure)
        assert kept == moves[-len(kept) :], number
        assert len(kept) >= 12, number
        assert (after_kill.standings, list(after_kill.damaged)) == (folded(moves), []), number
        later = numbered(sure, 12)
        for one in later:
            after_kill.append([one])
        after_kill.close()
        again = Journal(folder, SMALL)
        kept = list(again.read())
        assert kept == [*moves, *later][-len(kept) :], number
        assert again.standings == folded([*moves, *later]), number
        assert not list(folder.glob(".*")), number
        if not killed:
            break
    assert number > 20
    assert len(seen) > 2  # it was killed between two renames, too


def test_a_rotation_that_fails_costs_no_entry_and_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = numbered(0, 40)
    journal = written(tmp_path, [])
    with monkeypatch.context() as patched:
        patched.setattr(whole_file, "replace", no_space)
        for one in moves[:-1]:
            journal.append([one])
    assert not (tmp_path / "journal.1.jsonl").exists()
    journal.append(moves[-1:])
    assert (tmp_path / "journal.1.jsonl").exists()
    assert entries(tmp_path) == moves


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_journal_that_was_not_read_whole_is_not_rotated(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SMALL)
    for one in numbered(0, 40):
        journal.append([one])
    assert [file.name for file in tmp_path.glob("journal*")] == ["journal.jsonl"]


def test_a_folder_that_cannot_be_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        Journal(tmp_path / "file" / "state").open()


positions = st.builds(Position, st.sampled_from(MigrationState)) | st.builds(
    Position, st.just(MigrationState.CANARY), st.integers(0, 10_000)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(
    st.builds(
        JournalEntry,
        time=st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000),
        event=st.sampled_from([event for event in JournalEvent if event is not JournalEvent.STANDING]),
        unit=texts,
        who=texts,
        why=texts,
        before=st.none() | positions,
        after=positions,
        digest=texts,
        forced=st.lists(texts, max_size=3).map(tuple),
        reasons=st.lists(texts, max_size=3).map(tuple),
        asked=st.none() | positions,
        baseline=st.none() | st.dictionaries(texts, st.tuples(*[st.integers(0, 10**9)] * 5), max_size=3),
        evidence=st.none() | st.dictionaries(texts, st.integers(0, 9), max_size=3),
        record=st.none() | st.sampled_from(RECORDS),
    )
)
def test_an_entry_is_one_line_and_comes_back_whole(one: JournalEntry) -> None:
    line = encode(one)
    assert line.count(b"\n") == 1
    assert decode(line) == one


def test_a_baseline_of_an_older_journal_is_read() -> None:
    shadow = encode(entry(1.0, JournalEvent.FLIP, LEGACY, SHADOW, baseline={"read": (1, 2, 3, 4, 5)}))
    assert decode(shadow.replace(b"[1,2,3,4,5]", b"[1,2,3,4]")).baseline == {"read": (1, 2, 3, 4, 0)}


@given(
    st.builds(
        Standing,
        since=st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000),
        who=texts,
        why=texts,
        record=st.sampled_from(RECORDS),
        baseline=st.none() | st.dictionaries(texts, st.tuples(*[st.integers(0, 10**9)] * 5), max_size=3),
        counted_from=st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000),
    )
)
def test_a_standing_is_one_line_and_comes_back_whole(one: Standing) -> None:
    one = replace(one, position=position(one.record))
    line = encode(standing_entry("items", one))
    assert line.count(b"\n") == 1
    assert after(after(None, FLIP), decode(line)) == one


@pytest.mark.parametrize("rotated", [False, True])
def test_a_journal_before_records_gives_the_same_record_at_every_reading(rotated: bool) -> None:
    """A hold in it is a rollback of a run of its own: no other gateway can have released it."""
    flip, back = entry(5.0, JournalEvent.FLIP, LEGACY, SHADOW), entry(7.0, JournalEvent.ROLLBACK, SHADOW, LEGACY)
    held = after(after(None, decode(encode(flip))), decode(encode(back)))
    if rotated:
        line = json.loads(encode(standing_entry("items", held)))
        del line["record"]
        held = after(None, decode(json.dumps(line).encode()))
    assert (held.position, held.hold) == (LEGACY, Hold(7.0, "bob"))
    [name] = holds(held.record)
    assert name == holds(after(None, back).record)[0]
    assert name != holds(after(None, replace(back, time=8.0)).record)[0]
    free = after(held, entry(9.0, JournalEvent.RELEASE, LEGACY, LEGACY))
    assert (free.hold, free.position, free.record.rolled_back) == (None, LEGACY, {})
    assert after(free, entry(9.5, JournalEvent.FLIP, LEGACY, SHADOW)).position == SHADOW
    assert after(held, entry(9.5, JournalEvent.REFUSED, LEGACY, LEGACY, asked=SHADOW)) == held


def test_records_merge_whatever_the_order_of_their_lines() -> None:
    """A rollback that came while a flip was written may stand before it in the journal."""
    flip = entry(2.0, JournalEvent.FLIP, LEGACY, SHADOW, record=decide(GroupRecord(), SHADOW, 2.0))
    noted = Hold(1.0, "bob")
    back = entry(
        1.0, JournalEvent.ROLLBACK, LEGACY, LEGACY, record=rollback(GroupRecord(), RollbackName("a", 1), noted)
    )
    one, other = after(after(None, flip), back), after(after(None, back), flip)
    assert one.record == other.record
    assert (one.position, other.position, other.hold) == (LEGACY, LEGACY, noted)


def test_a_hold_lasts_until_it_is_released() -> None:
    held = after(after(None, FLIP), entry(2.0, JournalEvent.ROLLBACK, SHADOW, LEGACY))
    assert held.hold is not None
    assert (held.position, held.hold.who) == (LEGACY, "bob")
    later = after(held, entry(3.0, JournalEvent.FILE, LEGACY, LEGACY, "file"))
    assert later.hold == held.hold
    assert after(later, entry(4.0, JournalEvent.RELEASE, LEGACY, LEGACY)).hold is None


def test_a_higher_share_keeps_what_shadow_is_counted_from() -> None:
    shadow = entry(1.0, JournalEvent.FLIP, LEGACY, SHADOW, baseline={"read": (1, 2, 3, 4, 5)})
    canary = entry(2.0, JournalEvent.FLIP, SHADOW, Position(MigrationState.CANARY, 10))
    standing = after(after(None, shadow), canary)
    assert (standing.baseline, standing.counted_from, standing.since) == ({"read": (1, 2, 3, 4, 5)}, 1.0, 2.0)
