"""deploy/*.service as systemd rates them, and the times and secrets that they give; nothing has to run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from images.engine import ROOT
from strangler_gateway.settings import Settings

UNITS = sorted(ROOT.glob("deploy/*.service"))
EXPOSURE = 12
"""Tenths, of 100. What is left: the network, with any address; Unix and internet sockets; a clock device to read; and
settings that a service of its own root directory would have."""


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_rates_a_unit_as_hardened(path: Path) -> None:
    if shutil.which("systemd-analyze") is None and not os.environ.get("CI"):
        pytest.skip("there is no systemd-analyze (Debian: systemd)")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-200:]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_gives_a_stop_its_time_and_shows_no_secret(path: Path) -> None:
    lines = dict(re.findall(r"^(?:Environment=)?(\w+)=(.*)$", path.read_text(), re.MULTILINE))
    defaults = {name: float(Settings.model_fields[name].default) for name in ("grace_s", "drain_s")}
    takes = float(lines.get("STRANGLER_GRACE_S", defaults["grace_s"])) + defaults["drain_s"]
    assert float(lines["TimeoutStopSec"]) > takes
    assert lines["STRANGLER_OPERATOR_TOKEN_FILE"] == "%d/operator_token"
    assert [name for name in lines if re.search("TOKEN$|SECRET|PASSWORD|KEY$", name)] == []
