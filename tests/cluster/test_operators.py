"""What an operator does with `deploy/strangler-job.sh`: a Job asks the gateways, with a credential that stays there."""

import getpass
import json
import os
import subprocess

import pytest

from examples.demo.system import STRANGLER
from images.engine import ROOT
from tests.cluster.reached import forwarded
from tests.cluster.system import System

pytestmark = pytest.mark.cluster

WHY = 'it\'s "so": a\\b $HOME'
REFUSED = 1


def strangler(system: System, *words: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PATH": f"{system.kubectl.program.parent}:{os.environ['PATH']}"}
    command = ["sh", str(ROOT / "deploy/strangler-job.sh"), *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)


def test_a_job_moves_a_group_and_ends_with_the_exit_code_of_the_command(system: System) -> None:
    flipped = strangler(system, "flip", "teams", "--to", "shadow", "--why", WHY)
    assert (flipped.returncode, flipped.stderr) == (0, ""), flipped.stdout
    assert (system.states(0)["teams"], system.states(1)["teams"]) == ("shadow", "shadow")
    [entry] = json.loads(strangler(system, "log", "--unit", "teams", "--limit", "1", "--json").stdout)["entries"]
    assert (entry["why"], entry["who"].partition("@")[0]) == (WHY, getpass.getuser())
    assert strangler(system, "flip", "teams", "--to", "extracted", "--why", "too far").returncode == REFUSED
    assert strangler(system, "diff", "--exit-code").returncode == REFUSED
    assert "state: shadow" in next(line for line in patch(system).splitlines() if line.startswith("+  teams:"))
    assert strangler(system, "rollback", "teams").returncode == 0
    assert system.states(0)["teams"] == "legacy"
    assert strangler(system, "release", "teams").returncode == 0


def patch(system: System) -> str:
    """Of the repository's routes.yaml, to what is served; `git` takes it."""
    with forwarded(system, "service/gateway-admin", 8081) as [admin]:
        command = [*system.kubectl.prefix, STRANGLER, "export", "patch", "routes.yaml", "--admin", admin]
        environ = os.environ | {"STRANGLER_ADMIN_TOKEN": system.operator_token}
        text = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    subprocess.run(["git", "apply", "--check"], cwd=ROOT, input=text, text=True, check=True)
    return text
