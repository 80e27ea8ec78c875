"""Watching the routes file: every way in which files are replaced, and nothing but a change reloads."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from strangler_gateway.migration.routes_file.watch import Reloader

WITHIN_S = 60.0
POLL_S = 0.02

Read = str | None


class Reads:
    """What each reload found in the file: its text, or None where it could not be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[Read] = []
        self.running = self.most = 0
        self._more = asyncio.Condition()

    async def reload(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            text: Read = self.path.read_text(encoding="utf-8")
        except OSError:
            text = None
        await asyncio.sleep(0)
        self.running -= 1
        async with self._more:
            self.seen.append(text)
            self._more.notify_all()

    async def until_count(self, number: int) -> None:
        async with asyncio.timeout(WITHIN_S), self._more:
            await self._more.wait_for(lambda: len(self.seen) == number)

    async def until_last(self, text: Read) -> None:
        async with asyncio.timeout(WITHIN_S), self._more:
            await self._more.wait_for(lambda: self.seen[-1:] == [text])


@asynccontextmanager
async def watching(path: Path, settle_s: float = 0.001) -> AsyncIterator[Reads]:
    """Yields after the first reload."""
    reads = Reads(path)
    task = asyncio.create_task(Reloader(path, reads.reload, poll_s=POLL_S, settle_s=settle_s).run())
    try:
        await reads.until_count(1)
        yield reads
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def renamed(path: Path, text: str) -> None:
    other = path.with_name("other.tmp")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


def gone_and_back(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text, encoding="utf-8")


def projected(path: Path, text: str) -> None:
    """As the kubelet does it: a new directory, and `..data` renamed over the old link to it."""
    directory = path.parent / f"..{text}"
    directory.mkdir()
    (directory / "routes.yaml").write_text(text, encoding="utf-8")
    (path.parent / "..data_tmp").symlink_to(directory.name)
    (path.parent / "..data_tmp").replace(path.parent / "..data")
    if not path.is_symlink():
        path.unlink()
        path.symlink_to("..data/routes.yaml")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "routes.yaml"
    path.parent.mkdir()
    path.write_text("first", encoding="utf-8")
    return path


@pytest.mark.parametrize("replace", [Path.write_text, renamed, gone_and_back, projected])
async def test_every_change_is_taken_up_however_it_is_made(path: Path, replace: Callable[[Path, str], None]) -> None:
    async with watching(path) as reads:
        assert reads.seen == ["first"]
        for text in ("second", "third", "fourth"):
            replace(path, text)
            await reads.until_last(text)
        path.unlink()
        await reads.until_last(None)


async def test_a_circle_of_links_is_a_file_that_cannot_be_read(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)
    async with watching(path) as reads:
        assert reads.seen == [None]


async def test_other_files_and_a_touch_reload_nothing(path: Path) -> None:
    async with watching(path) as reads:
        path.with_name("access.log").write_text("x", encoding="utf-8")
        os.utime(path)
        renamed(path, "first")
        await asyncio.sleep(5 * POLL_S)  # nothing is to happen: there is no condition to wait for
        assert reads.seen == ["first"]


async def test_a_file_is_not_read_while_it_is_written(path: Path) -> None:
    async with watching(path, settle_s=0.5) as reads:
        with path.open("w", encoding="utf-8") as file:
            for number in range(20):
                file.write(f"line {number}\n")
                file.flush()
                await asyncio.sleep(0.01)
        whole = path.read_text(encoding="utf-8")
        await reads.until_last(whole)
        assert set(reads.seen) <= {"first", whole}


async def test_a_hangup_reloads_an_unchanged_file_and_reloads_never_overlap(path: Path) -> None:
    async with watching(path) as reads:
        for number in range(1, 4):
            os.kill(os.getpid(), signal.SIGHUP)
            await reads.until_count(number + 1)
        assert reads.seen == ["first"] * 4
        renamed(path, "second")
        os.kill(os.getpid(), signal.SIGHUP)
        await reads.until_last("second")
        assert reads.most == 1
