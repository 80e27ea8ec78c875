"""Boxes that are made before they are asked for, on both sandboxes that can."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from extracted.runner.sandbox.opening import SandboxChoice, SpawnedSandbox, open_sandbox
from extracted.runner.sandbox.port import Command, Limits, RunOutcome, RunStatus
from extracted.runner.sandbox.spawner import processes
from tests.unit.extracted.runner.sandbox.test_plain import SHORT

SHELL = Command(("/bin/sh", "source.sh"))
BACKENDS = ["plain", "bubblewrap"] if shutil.which("bwrap") else ["plain"]


@asynccontextmanager
async def opened(choice: SandboxChoice) -> AsyncIterator[SpawnedSandbox]:
    sandbox = await open_sandbox(choice)
    assert isinstance(sandbox, SpawnedSandbox)
    try:
        yield sandbox
    finally:
        await sandbox.aclose()


@pytest.fixture(params=BACKENDS)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[SpawnedSandbox]:
    async with opened(SandboxChoice(backend=request.param)) as one:
        yield one


async def shell(sandbox: SpawnedSandbox, source: str, limits: Limits = SHORT) -> RunOutcome:
    async with sandbox.box(limits, SHELL) as box:
        await box.write("source.sh", source.encode())
        outcome = await box.run(SHELL, b"", limits)
    sandbox.expect(SHELL, limits)
    return outcome


async def waiting(sandbox: SpawnedSandbox, number: int = 1) -> list[int]:
    """The spawner's processes, when there are so many."""
    async with asyncio.timeout(60):
        while len(found := processes.children(sandbox.pid)) != number:
            await asyncio.sleep(0.01)
    return found


async def test_the_next_run_of_a_command_has_its_process_already(sandbox: SpawnedSandbox) -> None:
    assert (await shell(sandbox, "echo first")).stdout == b"first\n"
    [ready] = await waiting(sandbox)
    async with sandbox.box(SHORT, SHELL) as box:
        await box.write("source.sh", b"cat; echo second >&2; exit 3")
        assert processes.children(sandbox.pid) == [ready]
        outcome = await box.run(SHELL, b"its input", SHORT)
    assert (outcome.stdout, outcome.stderr, outcome.exit_code) == (b"its input", b"second\n", 3)
    assert await waiting(sandbox, 0) == []


async def test_what_is_not_expected_any_more_goes(sandbox: SpawnedSandbox) -> None:
    take_back = sandbox.expect(SHELL, SHORT)
    await waiting(sandbox)
    take_back()
    await waiting(sandbox, 0)
    take_back()


async def test_a_box_is_used_once(sandbox: SpawnedSandbox) -> None:
    for _ in range(3):
        assert (await shell(sandbox, "ls; touch trace")).stdout == b"source.sh\n"
        await waiting(sandbox)


async def test_a_run_gets_its_wall_time_when_it_begins(sandbox: SpawnedSandbox) -> None:
    short = replace(SHORT, wall_s=0.2)
    await shell(sandbox, "true", short)
    await waiting(sandbox)
    await asyncio.sleep(2 * short.wall_s)
    assert (await shell(sandbox, "sleep 0.01", short)).status is RunStatus.OK
    assert (await shell(sandbox, "sleep 60", short)).status is RunStatus.TIME_LIMIT


@pytest.mark.parametrize(
    ("command", "limits", "printed"),
    [
        (SHELL, replace(SHORT, file_bytes=100), b"too large\n\n"),
        (replace(SHELL, environ={"A": "its own"}), SHORT, b"its own\n"),
    ],
    ids=["limits", "command"],
)
async def test_other_runs_do_not_get_it(
    sandbox: SpawnedSandbox, command: Command, limits: Limits, printed: bytes
) -> None:
    await shell(sandbox, "true")
    [ready] = await waiting(sandbox)
    async with sandbox.box(limits, command) as box:
        await box.write("source.sh", b"head -c 1000 /dev/zero > x || echo too large; echo $A")
        outcome = await box.run(command, b"", limits)
    assert outcome.stdout == printed
    assert await waiting(sandbox) == [ready]


async def test_another_run_in_a_box_that_was_ready_begins_anew(sandbox: SpawnedSandbox) -> None:
    await shell(sandbox, "true")
    await waiting(sandbox)
    async with sandbox.box(SHORT, SHELL) as box:
        outcome = await box.run(Command(("/bin/echo", "another")), b"", SHORT)
    assert outcome.stdout == b"another\n"


async def test_a_waiting_process_that_was_killed_is_replaced(sandbox: SpawnedSandbox) -> None:
    await shell(sandbox, "true")
    [ready] = await waiting(sandbox)
    os.kill(ready, signal.SIGKILL)
    await waiting(sandbox, 0)
    await sandbox._link.send("facts", {})[1]  # the report of its end came before
    assert (await shell(sandbox, "echo again")).stdout == b"again\n"


async def test_a_waiting_process_that_dies_in_its_box_is_an_error_of_the_sandbox(sandbox: SpawnedSandbox) -> None:
    await shell(sandbox, "true")
    [ready] = await waiting(sandbox)
    async with sandbox.box(SHORT, SHELL) as box:
        os.kill(ready, signal.SIGKILL)
        await waiting(sandbox, 0)
        outcome = await box.run(SHELL, b"", SHORT)
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.SANDBOX_ERROR, None, None)
    assert "before its program began" in outcome.detail


async def test_boxes_of_a_spawner_that_ended_are_not_used(sandbox: SpawnedSandbox) -> None:
    await shell(sandbox, "true")
    await waiting(sandbox)
    ended = sandbox._link
    os.kill(ended.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while not ended.closed:
            await asyncio.sleep(0.01)
    assert (await shell(sandbox, "echo again")).stdout == b"again\n"
    assert sandbox.pid != ended.pid


async def test_there_are_never_more_than_may_be(sandbox: SpawnedSandbox) -> None:
    async with opened(SandboxChoice(backend=sandbox.name, ahead=2)) as bounded:
        for number in range(4):
            await shell(bounded, "true", replace(SHORT, file_bytes=1_000 + number))
        await waiting(bounded, 2)
    async with opened(SandboxChoice(backend=sandbox.name, ahead=0)) as none:
        await shell(none, "true")
        assert processes.children(none.pid) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
async def test_a_waiting_box_makes_room_for_one_that_is_needed(sandbox: SpawnedSandbox) -> None:
    async with opened(SandboxChoice(backend=sandbox.name, first_uid=62_900 + os.getpid() % 100, uids=1)) as narrow:
        await shell(narrow, "true")
        await waiting(narrow)
        other = replace(SHORT, file_bytes=1_000)
        assert (await shell(narrow, "echo room", other)).stdout == b"room\n"


async def test_nothing_is_left_of_boxes_that_wait(sandbox: SpawnedSandbox) -> None:
    await shell(sandbox, "true")
    await waiting(sandbox)
    await sandbox.clear()
    assert processes.children(sandbox.pid) == []
    await sandbox.aclose()
    assert not os.path.exists(f"/proc/{sandbox.pid}")
