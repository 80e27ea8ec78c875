"""The plain backend through its port; attacks are in tests/attacks."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from extracted.runner.sandbox.port import Command, Limits, RunOutcome, RunStatus, Sandbox

PYTHON = "/usr/bin/python3"
SHORT = Limits(
    wall_s=5, cpu_s=2, memory_bytes=64 << 20, processes=16, output_bytes=10_000, file_bytes=1 << 20, open_files=32,
    box_bytes=4 << 20,
)  # fmt: skip


async def python(sandbox: Sandbox, source: str, stdin: bytes = b"", limits: Limits = SHORT) -> RunOutcome:
    async with sandbox.box(limits) as box:
        await box.write("source.py", source.encode())
        return await box.run(Command((PYTHON, "source.py")), stdin, limits)


async def test_a_program_reads_its_input_and_writes_both_outputs(sandbox: Sandbox) -> None:
    outcome = await python(sandbox, "import sys; print(input()); print('e', file=sys.stderr); sys.exit(3)", b"hello\n")
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.RUNTIME_ERROR, 3, None)
    assert (outcome.stdout, outcome.stderr, outcome.truncated) == (b"hello\n", b"e\n", False)
    assert outcome.wall_ms > 0
    assert outcome.peak_kb > 1_000


async def test_a_signal_is_no_exit_code(sandbox: Sandbox) -> None:
    outcome = await python(sandbox, "import os; os.abort()")
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.RUNTIME_ERROR, None, 6)


async def test_input_that_nobody_reads_holds_nothing_up(sandbox: Sandbox) -> None:
    assert (await python(sandbox, "pass", b"x" * 1_000_000)).status is RunStatus.OK


async def test_large_input_arrives_whole(sandbox: Sandbox) -> None:
    outcome = await python(sandbox, "import sys; print(len(sys.stdin.read()))", b"x" * 1_000_000)
    assert outcome.stdout == b"1000000\n"


async def test_open_input_keeps_a_program_that_reads_to_the_end_until_its_time_is_up(sandbox: Sandbox) -> None:
    limits = replace(SHORT, wall_s=0.5)
    async with sandbox.box(limits) as box:
        outcome = await box.run(Command(("/usr/bin/cat",)), b"hello", limits, keep_stdin_open=True)
    assert (outcome.status, outcome.stdout) == (RunStatus.TIME_LIMIT, b"hello")


async def test_what_a_run_leaves_can_be_taken_and_executed_in_the_next(sandbox: Sandbox) -> None:
    async with sandbox.box(SHORT) as box:
        await box.run(Command(("/usr/bin/cp", "/usr/bin/true", "program")), b"", SHORT)
        program = await box.take("program")
    async with sandbox.box(SHORT) as box:
        await box.write("program", program, executable=True)
        assert (await box.run(Command(("program",)), b"", SHORT)).status is RunStatus.OK


@pytest.mark.parametrize("left", ["os.symlink('/etc/passwd', 'x')", "os.mkfifo('x')", "os.mkdir('x')", "pass"])
async def test_only_a_regular_file_of_the_run_is_taken(sandbox: Sandbox, left: str) -> None:
    async with sandbox.box(SHORT) as box:
        await box.write("source.py", f"import os\n{left}".encode())
        assert (await box.run(Command((PYTHON, "source.py")), b"", SHORT)).status is RunStatus.OK
        with pytest.raises(FileNotFoundError):
            await box.take("x")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "/etc/x", "a\0b"])
async def test_a_file_has_a_plain_name(sandbox: Sandbox, name: str) -> None:
    async with sandbox.box(SHORT) as box:
        with pytest.raises(ValueError, match="plain name"):
            await box.write(name, b"")


async def test_a_write_replaces_a_link_that_a_run_left(sandbox: Sandbox, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    async with sandbox.box(SHORT) as box:
        await box.run(Command(("/usr/bin/ln", "-s", str(outside), "x")), b"", SHORT)
        await box.write("x", b"inside")
        assert (await box.run(Command(("/usr/bin/cat", "x")), b"", SHORT)).stdout == b"inside"
    assert not outside.exists()


async def test_a_program_that_is_not_there_is_an_error_of_the_sandbox_with_its_reason(sandbox: Sandbox) -> None:
    async with sandbox.box(SHORT) as box:
        outcome = await box.run(Command(("/usr/bin/no-such-program",)), b"", SHORT)
    assert outcome.status is RunStatus.SANDBOX_ERROR
    assert "No such file" in outcome.detail
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (None, b"", b"")


async def test_cancelling_kills_the_run(sandbox: Sandbox) -> None:
    async with sandbox.box(SHORT) as box:
        run = asyncio.create_task(box.run(Command(("/usr/bin/sleep", "4.0042")), b"", SHORT))
        await _until(lambda: _running(b"sleep\x004.0042"))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert not _running(b"sleep\x004.0042")


async def test_a_spawner_that_is_killed_is_replaced(sandbox: Sandbox) -> None:
    spawner = sandbox._link._process  # type: ignore[attr-defined]
    async with sandbox.box(SHORT) as box:
        run = asyncio.create_task(box.run(Command(("/usr/bin/sleep", "4.0043")), b"", SHORT))
        await _until(lambda: _running(b"sleep\x004.0043"))
        spawner.kill()
        assert (await run).status is RunStatus.SANDBOX_ERROR
    await _until(lambda: not _running(b"sleep\x004.0043"))
    assert (await python(sandbox, "print(1)")).stdout == b"1\n"


async def test_many_runs_at_once_stay_apart(sandbox: Sandbox) -> None:
    outcomes = await asyncio.gather(*(python(sandbox, f"print({number})") for number in range(12)))
    assert [one.stdout for one in outcomes] == [b"%d\n" % number for number in range(12)]


async def _until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


def _running(command: bytes) -> bool:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if command in file.read_bytes():
                return True
        except OSError:
            continue
    return False
