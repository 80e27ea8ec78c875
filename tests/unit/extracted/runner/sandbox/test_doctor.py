"""What the runner accepts, and what the doctor says about it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from extracted.runner.sandbox import doctor, protections
from extracted.runner.sandbox.opening import SandboxChoice, open_sandbox
from extracted.runner.sandbox.port import SandboxUnavailable
from extracted.runner.sandbox.spawner import gvisor
from extracted.runner.sandbox.spawner.messages import Facts

ALL = Facts(machine="x86_64", landlock=7, seccomp=True, own_uids=True, tmpfs=True, cgroup="v1")


@pytest.mark.parametrize(
    ("facts", "backend", "expected"),
    [
        (ALL, "plain", []),
        (replace(ALL, own_uids=False, tmpfs=False, cgroup="none"), "plain", []),
        (replace(ALL, landlock=0), "plain", ["Landlock"]),
        (replace(ALL, seccomp=False), "plain", ["seccomp"]),
        (replace(ALL, landlock=0), "bubblewrap", []),
        (replace(ALL, seccomp=False, machine="riscv64"), "bubblewrap", ["seccomp"]),
        (replace(ALL, landlock=0, seccomp=False), "gvisor-ptrace", []),
        (
            replace(ALL, own_uids=False, tmpfs=False, cgroup="none"),
            "gvisor-systrap",
            ["own user a run", "control groups", "box of a fixed size"],
        ),
    ],
)
def test_a_backend_relies_on(facts: Facts, backend: str, expected: list[str]) -> None:
    assert [one.name for one in protections.missing(facts, backend)] == expected


def test_what_is_lacking_is_shown_with_what_one_loses() -> None:
    weak = protections.protections(replace(ALL, landlock=0, tmpfs=False), "plain")
    shown = doctor.text(doctor.Examination("plain", "", True, [doctor.BackendState("plain", "", weak)]))
    assert "NO   Landlock: the kernel has none; without it a program can read and write whatever its user may" in shown
    assert "no   box of a fixed size: the runner may not mount" in shown
    assert "WEAK" in shown


def test_the_command_prints_the_examination_of_this_machine() -> None:
    command = [sys.executable, "-m", "extracted", "runner", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["taken"] is None or found["weak"] else 0)
    assert {one["name"].partition("-")[0] for one in found["backends"]} == {"gvisor", "bubblewrap", "plain"}


async def test_a_sandbox_that_cannot_work_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gvisor, "program", lambda: None)
    with pytest.raises(SandboxUnavailable, match="/no/such/folder"):
        await open_sandbox(SandboxChoice(folder=Path("/no/such/folder")))
    with pytest.raises(SandboxUnavailable, match="runtimeClassName: gvisor"):
        await open_sandbox(SandboxChoice(backend="gvisor"))
