"""The compile cache: compiles once, is bounded, and never takes away what is in use."""

import asyncio
from pathlib import Path

import pytest

from extracted.runner.compile_cache import Compilation, Compile, CompileCache, CompiledProgram, digest
from extracted.runner.sandbox.port import RunOutcome, RunStatus


def compiler(content: bytes, status: RunStatus = RunStatus.OK) -> Compile:
    async def compile(folder: Path) -> Compilation:
        assert [*folder.iterdir()] == []
        await asyncio.sleep(0)
        return Compilation(RunOutcome(status), {"main": content} if status is RunStatus.OK else {})

    return compile


async def use(cache: CompileCache, key: str, compile: Compile) -> CompiledProgram:
    async with cache.program(key, compile) as program:
        await asyncio.sleep(0)
        return program


async def test_many_who_ask_at_once_compile_once(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path, entries=10, size_bytes=1000)
    programs = await asyncio.gather(*(use(cache, "k", compiler(b"x")) for _ in range(8)))
    assert len({program.folder for program in programs}) == 1
    assert (cache.hits, cache.misses, len(cache), cache.size_bytes) == (7, 1, 1, 1)


async def test_a_program_is_a_file_that_nobody_can_write(tmp_path: Path) -> None:
    program = await use(CompileCache(tmp_path, entries=1, size_bytes=10), "k", compiler(b"x"))
    assert program.folder is not None
    assert [(path.name, path.read_bytes()) for path in program.folder.iterdir()] == [("main", b"x")]
    assert {oct(path.stat().st_mode & 0o777) for path in (program.folder, program.folder / "main")} == {"0o555"}


@pytest.mark.parametrize(("status", "compiled"), [(RunStatus.COMPILE_ERROR, 1), (RunStatus.TIME_LIMIT, 2)])
async def test_an_error_in_the_source_lasts_and_a_limit_does_not(
    tmp_path: Path, status: RunStatus, compiled: int
) -> None:
    cache = CompileCache(tmp_path, entries=10, size_bytes=1000)
    found = [await use(cache, "k", compiler(b"", status)) for _ in range(2)]
    assert [(program.outcome.status, program.folder) for program in found] == [(status, None)] * 2
    assert cache.misses == compiled
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("entries", "size_bytes"), [(2, 1000), (100, 20)])
async def test_the_least_recently_used_goes_first(tmp_path: Path, entries: int, size_bytes: int) -> None:
    cache = CompileCache(tmp_path, entries=entries, size_bytes=size_bytes)
    for key in ("a", "b", "a", "c"):
        await use(cache, key, compiler(b"0123456789"))
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "c"]
    assert (len(cache), cache.size_bytes) == (2, 20)


async def test_a_program_in_use_stays_even_beyond_the_bounds(tmp_path: Path) -> None:
    cache = CompileCache(tmp_path, entries=0, size_bytes=0)
    async with cache.program("a", compiler(b"a")) as program:
        await use(cache, "b", compiler(b"b"))
        assert program.folder is not None
        assert (program.folder / "main").read_bytes() == b"a"
    assert (list(tmp_path.iterdir()), cache.size_bytes) == ([], 0)


async def test_who_waits_takes_over_when_the_compiling_one_is_cancelled(tmp_path: Path) -> None:
    cache, never = CompileCache(tmp_path, entries=1, size_bytes=10), asyncio.Event()

    async def hangs(_folder: Path) -> Compilation:
        await never.wait()
        raise AssertionError

    first = asyncio.create_task(use(cache, "k", hangs))
    await asyncio.sleep(0)
    second = asyncio.create_task(use(cache, "k", compiler(b"x")))
    await asyncio.sleep(0)
    first.cancel()
    folder = (await second).folder
    assert list(tmp_path.iterdir()) == [folder]


def test_a_key_tells_apart_what_differs_and_where_its_parts_end() -> None:
    keys = {
        digest("RUST", "1.63", ("rustc", "a"), b"x"),
        digest("RUST", "1.64", ("rustc", "a"), b"x"),
        digest("RUST", "1.63", ("rustc",), b"ax"),
        digest("RUST", "1.63", ("rustc", "-O", "a"), b"x"),
        digest("RUST", "1.63", ("rustc", "a"), b"y"),
    }
    assert len(keys) == 5
