"""Each attack on each sandbox of this machine: stopped, in time, with the right word, and nothing is left."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from extracted.runner.sandbox import link
from extracted.runner.sandbox.opening import SandboxChoice, SpawnedSandbox, open_sandbox
from extracted.runner.sandbox.port import Command, RunStatus, Sandbox, SandboxUnavailable
from extracted.runner.sandbox.spawner import gvisor
from tests.attacks.attack import ATTACKS, LIMITS, Attack
from tests.attacks.leftovers import Leftovers, left

pytestmark = [pytest.mark.walk, pytest.mark.asyncio(loop_scope="module")]
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or "/usr/bin/python3"
ORDINARY = "plain as an ordinary user"
INSTALLED = ["gvisor"] if gvisor.program() else []
ORDINARY_UID = 60_999
LATE_S = 6
"""How much longer than its wall limit a run may take in all, on a machine that is busy."""
UIDS = range(61_000 + 40 * (os.getpid() % 100), 61_000 + 40 * (os.getpid() % 100) + 40)
"""Of this test process alone, so that another on the same machine does not count."""


@dataclass(frozen=True, slots=True)
class Target:
    """A sandbox under attack, and processes that no attack may reach."""

    sandbox: SpawnedSandbox
    outside: tuple[int, ...]
    clean: Leftovers
    setuid: Path
    port: int

    @property
    def name(self) -> str:
        return self.sandbox.name if self.sandbox.facts.own_uids else "ordinary"

    @property
    def spawner(self) -> int:
        return self.outside[1]

    async def left(self) -> Leftovers:
        await self.sandbox.clear()
        return left(self.spawner, UIDS, own=self.sandbox.facts.own_uids)

    def command(self, *, source: str = "source.py") -> Command:
        return Command(
            (PYTHON, source, *map(str, self.outside)),
            readable=(self.setuid,),
            environ={"SETUID": f"{self.setuid}/identity /usr/bin/su", "PORT": str(self.port)},
            out_of_memory=(b"MemoryError",),
        )


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["plain", "bubblewrap", *INSTALLED, ORDINARY])
async def sandbox(request: pytest.FixtureRequest, ordinary: Path) -> AsyncIterator[SpawnedSandbox]:
    if sys.platform != "linux":
        pytest.skip("the sandbox needs Linux")
    if request.param == "bubblewrap" and shutil.which("bwrap") is None and os.environ.get("EXAMPLES") == "all":
        pytest.fail("bubblewrap is not installed; .ci/run installs it")
    as_ordinary_user = request.param == ORDINARY
    if as_ordinary_user and (os.geteuid() != 0 or not _open_to_all(Path(__file__))):
        pytest.skip("only root can become an ordinary user, who must be able to read the checkout")
    backend = "plain" if as_ordinary_user else request.param
    choice = SandboxChoice(backend=backend, first_uid=UIDS.start, uids=len(UIDS))
    with pytest.MonkeyPatch.context() as patch:
        if as_ordinary_user:
            patch.setattr(link, "sys", SimpleNamespace(executable=str(ordinary)))
        try:
            opened = await open_sandbox(choice)
        except SandboxUnavailable as error:
            pytest.skip(str(error))
    assert isinstance(opened, SpawnedSandbox)
    yield opened
    await opened.aclose()
    assert not list(Path("/tmp").glob(f"polycode-runner-{opened.pid}-*"))


@pytest.fixture(scope="module")
def ordinary() -> Iterator[Path]:
    """Runs Python as an ordinary user: without control groups, mounts, or a user for each run."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = Path(folder, "python")
        file.write_text(
            f'#!/bin/sh\nexec setpriv --reuid {ORDINARY_UID} --regid {ORDINARY_UID} --clear-groups {PYTHON} "$@"\n'
        )
        file.chmod(0o755)
        yield file


def _open_to_all(file: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in file.resolve().parents)


@pytest.fixture(scope="module")
def victim(sandbox: SpawnedSandbox) -> Iterator[int]:
    """Another program of this machine, with a secret in its environment; of the runs' own user if they share one."""
    shared = os.geteuid() == 0 and not sandbox.facts.own_uids
    process = subprocess.Popen(["/bin/sleep", "600"], env={"A_SECRET": "SECRET"}, user=ORDINARY_UID if shared else None)
    yield process.pid
    assert process.poll() is None, "an attack ended another program of this machine"
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def setuid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a program that would run as its owner: root, where the tests are."""
    folder = Path("/tmp", f"attack-setuid-{os.getpid()}")  # boxes' users cannot reach pytest's folder
    folder.mkdir(mode=0o755)
    shutil.copy("/usr/bin/id", folder / "identity")
    (folder / "identity").chmod(0o4755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server of this machine, which also listens on a Unix socket with a name that every user may use."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as other:
        number: int = server.getsockname()[1]
        other.bind(f"\0attack-{number}")
        other.listen()
        yield number


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def target(sandbox: SpawnedSandbox, victim: int, setuid: Path, port: int) -> Target:
    await sandbox.clear()  # the box that it was tried with at its start
    outside = (os.getpid(), sandbox.pid, victim)
    return Target(sandbox, outside, left(sandbox.pid, UIDS, own=sandbox.facts.own_uids), setuid, port)


async def hello(sandbox: Sandbox) -> bytes:
    """What an innocent program prints."""
    async with sandbox.box(LIMITS) as box:
        await box.write("source.py", b"print(sum(map(int, open(0).read().split())))")
        return (await box.run(Command((PYTHON, "source.py")), b"1 2 3", LIMITS)).stdout


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_is_stopped(target: Target, attack: Attack, record_property: object) -> None:
    """In a box that was made ahead of time, as most boxes are."""
    attack, command = attack.under(target.name), target.command()
    target.sandbox.expect(command, attack.limits)
    began = time.monotonic()
    async with target.sandbox.box(attack.limits, command) as box:
        await box.write("source.py", attack.source)
        outcome = await box.run(command, b"", attack.limits)
    took_s = time.monotonic() - began
    record_property("attack", (target.name, attack.name, str(outcome.status), round(took_s, 2)))  # type: ignore[operator]
    assert attack.failure(outcome) == ""
    assert len(outcome.stdout) <= attack.limits.output_bytes
    assert len(outcome.stderr) <= attack.limits.output_bytes
    assert took_s < attack.limits.wall_s + LATE_S
    assert await target.left() == target.clean
    assert await hello(target.sandbox) == b"6\n"


async def test_boxes_of_others_are_out_of_reach_while_they_run(target: Target) -> None:
    attack = Attack("other_boxes", (RunStatus.OK,))
    async with target.sandbox.box(LIMITS) as box, target.sandbox.box(LIMITS) as other:
        await other.write("secret.txt", b"a secret")
        await other.write("source.py", b"open('secret.txt').read(); import time; time.sleep(2)")
        running = asyncio.create_task(other.run(target.command(), b"", LIMITS))
        await box.write("source.py", attack.source)
        assert attack.failure(await box.run(target.command(), b"", LIMITS)) == ""
        assert (await running).status is RunStatus.OK
    assert await target.left() == target.clean


@pytest.mark.parametrize("source", [b"print(1)\0", b"\xff\xfe\x00", b"# \xff\nprint(1)", b"\0" * 1_000])
async def test_a_source_of_any_bytes_harms_nothing(target: Target, source: bytes) -> None:
    async with target.sandbox.box(LIMITS) as box:
        await box.write("source.py", source)
        outcome = await box.run(target.command(), b"", LIMITS)
    assert outcome.status in (RunStatus.OK, RunStatus.RUNTIME_ERROR)
    assert await target.left() == target.clean


async def test_input_of_any_bytes_arrives(target: Target) -> None:
    stdin = bytes(range(256)) * 100
    async with target.sandbox.box(LIMITS) as box:
        outcome = await box.run(Command(("/bin/cat",)), stdin, LIMITS)
    assert outcome.stdout == stdin


@pytest.mark.parametrize(
    ("shell", "exit_code", "signal"), [("exit 3", 3, None), ("exit 128", 128, None), ("kill -SEGV $$", None, 11)]
)
async def test_the_end_of_a_program_is_told(
    target: Target, shell: str, exit_code: int | None, signal: int | None
) -> None:
    async with target.sandbox.box(LIMITS) as box:
        outcome = await box.run(Command(("/bin/sh", "-c", shell)), b"", LIMITS)
    assert (outcome.status, outcome.exit_code, outcome.signal) == (RunStatus.RUNTIME_ERROR, exit_code, signal)


async def test_a_program_can_have_all_processes_of_its_limit(target: Target) -> None:
    children = " ".join(["sleep 0.3 &"] * (LIMITS.processes - 2))
    async with target.sandbox.box(LIMITS) as box:
        await box.write("program", f"#!/bin/sh\n{children}\nwait; echo done".encode(), executable=True)
        outcome = await box.run(Command(("program",)), b"", LIMITS)
    assert (outcome.status, outcome.stdout) == (RunStatus.OK, b"done\n")


async def test_a_cancelled_run_leaves_nothing(target: Target) -> None:
    async with target.sandbox.box(LIMITS) as box:
        running = asyncio.create_task(box.run(Command(("/bin/sh", "-c", "touch here; sleep 600")), b"", LIMITS))
        async with asyncio.timeout(LATE_S):
            while not await box.names():
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await target.left() == target.clean


async def test_a_file_larger_than_the_box_is_refused_and_harms_nothing(target: Target) -> None:
    async with target.sandbox.box(LIMITS) as box:
        with pytest.raises(OSError, match="box"):
            await box.write("source.py", b"#" * 10_000_000)
    assert await target.left() == target.clean
    assert await hello(target.sandbox) == b"6\n"


async def test_all_attacks_at_once_with_an_innocent_program_among_them(target: Target) -> None:
    names = ("fork_bomb", "memory_by_pieces", "output_without_end", "signals")
    chosen = [one.under(target.name) for one in ATTACKS if one.name in names]

    async def run(attack: Attack) -> str:
        async with target.sandbox.box(attack.limits) as box:
            await box.write("source.py", attack.source)
            return attack.failure(await box.run(target.command(), b"", attack.limits))

    *failures, printed = await asyncio.gather(*(run(one) for one in chosen), hello(target.sandbox))
    assert failures == [""] * len(chosen)
    assert printed == b"6\n"
    assert await target.left() == target.clean


COMPILER = shutil.which("cc", path="/usr/local/bin:/usr/bin:/bin")
COMPILE_LIMITS = replace(LIMITS, wall_s=10, cpu_s=2, memory_bytes=128 << 20)


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('#include "/etc/passwd"', {RunStatus.RUNTIME_ERROR}),
        ('__asm__(".incbin \\"/etc/shadow\\"");', {RunStatus.RUNTIME_ERROR}),
        ('#include "/dev/zero"', {RunStatus.MEMORY_LIMIT, RunStatus.RUNTIME_ERROR}),
        ("char huge[1 << 28] = {1};", {RunStatus.RUNTIME_ERROR, RunStatus.OUTPUT_LIMIT, RunStatus.MEMORY_LIMIT}),
        (
            "\n".join(
                ["#define A0 1+", *(f"#define A{n + 1} A{n} A{n} A{n} A{n}" for n in range(20)), "int x = A20 1;"]
            ),
            {RunStatus.MEMORY_LIMIT, RunStatus.CPU_LIMIT},
        ),
    ],
    ids=["include", "incbin", "endless include", "huge object", "exponential macro"],
)
async def test_an_attack_on_the_compiler_is_stopped(target: Target, source: str, words: set[RunStatus]) -> None:
    async with target.sandbox.box(COMPILE_LIMITS) as box:
        await box.write("main.c", source.encode())
        outcome = await box.run(Command((str(COMPILER), "-c", "main.c")), b"", COMPILE_LIMITS)
    assert outcome.status in words
    assert b"root:" not in outcome.stdout + outcome.stderr
    assert await target.left() == target.clean
    assert await hello(target.sandbox) == b"6\n"
