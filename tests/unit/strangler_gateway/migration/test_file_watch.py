"""Watching the routes file: every way in which files are replaced, and nothing but a change reloads."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from strangler_gateway.migration.file_watch import Reloader, entries_of

WITHIN_S = 10.0
POLL_ALONE_S = 0.1
NO_POLL_S = 600.0

Read = str | None


class Reads:
    """What each reload found in the file: its text, or None where it could not be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[Read] = []
        self._more = asyncio.Condition()

    async def reload(self) -> None:
        try:
            self.seen.append(self.path.read_text(encoding="utf-8"))
        except OSError:
            self.seen.append(None)
        async with self._more:
            self._more.notify_all()

    async def until(self, wanted: Callable[[list[Read]], bool]) -> None:
        async with asyncio.timeout(WITHIN_S), self._more:
            await self._more.wait_for(lambda: wanted(self.seen))

    async def until_last(self, text: Read) -> None:
        await self.until(lambda seen: seen[-1:] == [text])


@asynccontextmanager
async def watching(path: Path, poll_s: float = NO_POLL_S, settle_s: float = 0.01) -> AsyncIterator[Reads]:
    """Yields when the watch has begun; without polling only events can tell of a change."""
    reads = Reads(path)
    task = asyncio.create_task(Reloader(path, reads.reload, poll_s=poll_s, settle_s=settle_s).run())
    try:
        await reads.until(lambda seen: len(seen) == 1)
        if poll_s == NO_POLL_S:
            await watched(path, reads)
        yield reads
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def watched(path: Path, reads: Reads) -> None:
    """Returns when events arrive: the file system tells of nothing that happened before the watch began."""
    for _ in range(50):
        probe = f"probe {os.urandom(4).hex()}"
        path.write_text(probe, encoding="utf-8")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await reads.until_last(probe)
                return
    pytest.fail("the watch did not begin")


def replaced(path: Path, text: str) -> None:
    other = path.with_name("other.tmp")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text("first", encoding="utf-8")
    return path


async def test_the_file_is_read_once_at_the_start(path: Path) -> None:
    async with watching(path) as reads:
        assert reads.seen[0] == "first"


async def test_a_write_in_place_is_taken_up(path: Path) -> None:
    async with watching(path) as reads:
        path.write_text("second", encoding="utf-8")
        await reads.until_last("second")


async def test_a_rename_over_the_file_is_taken_up_again_and_again(path: Path) -> None:
    async with watching(path) as reads:
        for text in ("second", "third", "fourth"):
            replaced(path, text)
            await reads.until_last(text)


async def test_a_file_that_goes_and_comes_back_is_taken_up(path: Path) -> None:
    async with watching(path) as reads:
        path.unlink()
        await reads.until_last(None)
        path.write_text("back", encoding="utf-8")
        await reads.until_last("back")


async def test_the_symlink_swap_of_a_kubernetes_volume_sends_an_event(volume: Path) -> None:
    async with watching(volume / "routes.yaml") as reads:
        projected(volume, "2", "second")
        await reads.until_last("second")


async def test_every_symlink_swap_of_a_kubernetes_volume_is_taken_up(volume: Path) -> None:
    async with watching(volume / "routes.yaml", poll_s=POLL_ALONE_S) as reads:
        for number in ("2", "3", "4"):
            projected(volume, number, f"version {number}")
            await reads.until_last(f"version {number}")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    volume = tmp_path / "volume"
    projected(volume, "1", "first")
    (volume / "routes.yaml").symlink_to("..data/routes.yaml")
    return volume


def projected(volume: Path, number: str, text: str) -> None:
    """As the kubelet does it: a new directory, and `..data` renamed over the old link to it."""
    directory = volume / f"..{number}"
    directory.mkdir(parents=True)
    (directory / "routes.yaml").write_text(text, encoding="utf-8")
    (volume / "..data_tmp").symlink_to(directory.name)
    (volume / "..data_tmp").replace(volume / "..data")


async def test_the_target_of_a_link_in_another_directory_is_watched(path: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    link = tmp_path / "linked" / "link.yaml"
    link.symlink_to(path)
    async with watching(link) as reads:
        replaced(path, "second")
        await reads.until_last("second")


async def test_a_link_that_is_turned_elsewhere_is_followed_there(path: Path, tmp_path: Path) -> None:
    link, elsewhere = tmp_path / "link.yaml", tmp_path / "elsewhere" / "routes.yaml"
    link.symlink_to(path)
    elsewhere.parent.mkdir()
    elsewhere.write_text("elsewhere", encoding="utf-8")
    async with watching(link) as reads:
        (tmp_path / "new").symlink_to(elsewhere)
        (tmp_path / "new").replace(link)
        await reads.until_last("elsewhere")
        await watched(elsewhere, reads)


async def test_other_files_and_a_touch_reload_nothing(path: Path) -> None:
    async with watching(path, poll_s=POLL_ALONE_S) as reads:
        before = list(reads.seen)
        path.with_name("access.log").write_text("x", encoding="utf-8")
        os.utime(path)
        replaced(path, str(reads.seen[-1]))
        await asyncio.sleep(5 * POLL_ALONE_S)  # nothing is to happen: there is no condition to wait for
        assert reads.seen == before


async def test_a_file_is_not_read_while_it_is_written(path: Path) -> None:
    async with watching(path, poll_s=POLL_ALONE_S, settle_s=0.5) as reads:
        with path.open("w", encoding="utf-8") as file:
            for number in range(20):
                file.write(f"line {number}\n")
                file.flush()
                await asyncio.sleep(0.01)
        whole = path.read_text(encoding="utf-8")
        await reads.until_last(whole)
        assert set(reads.seen) <= {"first", whole}


async def test_a_change_without_an_event_is_found_by_looking(path: Path) -> None:
    async with watching(path, poll_s=POLL_ALONE_S) as reads:
        directory = path.parent
        moved = directory.with_name("moved")
        directory.rename(moved)
        await reads.until_last(None)
        directory.mkdir()
        path.write_text("found", encoding="utf-8")
        await reads.until_last("found")


async def test_hangup_reloads_though_nothing_has_changed(path: Path) -> None:
    async with watching(path) as reads:
        before = list(reads.seen)
        os.kill(os.getpid(), signal.SIGHUP)
        await reads.until(lambda seen: len(seen) == len(before) + 1)
        assert reads.seen[-1] == before[-1]


async def test_reloads_never_overlap(path: Path) -> None:
    running, most = 0, 0
    ended = asyncio.Event()

    async def reload() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        ended.set()

    task = asyncio.create_task(Reloader(path, reload, poll_s=0.02).run())
    try:
        for number in range(5):
            ended.clear()
            replaced(path, f"{number}")
            async with asyncio.timeout(WITHIN_S):
                await ended.wait()
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert most == 1


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert {name for _, name in entries_of(tmp_path / "a")} >= {"a", "b"}
