"""What an operator does with `deploy/strangler-job.sh`: a Job asks the gateways, with a credential that stays there."""

import getpass
import json
import os
import subprocess

import pytest

from images.engine import ROOT
from tests.cluster.system import System

pytestmark = pytest.mark.cluster

WHY = 'it\'s "so": a\\b $HOME'
REFUSED = 1


def strangler(system: System, *words: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PATH": f"{system.kubectl.program.parent}:{os.environ['PATH']}"}
    command = ["sh", str(ROOT / "deploy/strangler-job.sh"), *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_a_job_moves_a_group_and_ends_with_the_exit_code_of_the_command(system: System) -> None:
    flipped = strangler(system, "flip", "teams", "--to", "shadow", "--why", WHY)
    assert (flipped.returncode, flipped.stderr) == (0, ""), flipped.stdout
    assert (system.states(0)["teams"], system.states(1)["teams"]) == ("shadow", "shadow")
    [entry] = json.loads(strangler(system, "log", "--unit", "teams", "--limit", "1", "--json").stdout)["entries"]
    assert (entry["why"], entry["who"].partition("@")[0]) == (WHY, getpass.getuser())
    assert strangler(system, "flip", "teams", "--to", "extracted", "--why", "too far").returncode == REFUSED
    assert strangler(system, "diff", "--exit-code").returncode == REFUSED
    assert strangler(system, "rollback", "teams").returncode == 0
    assert system.states(0)["teams"] == "legacy"
    assert strangler(system, "release", "teams").returncode == 0
