"""docs/finishing.md: its commands work on the shipped routes.yaml, and what they write can be used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from strangler_gateway.config.checks.check import check_text
from tests.docs.commands import ROOT, boxes

PAGE = "docs/finishing.md"


@pytest.mark.walk
def test_its_commands_work_in_their_order(tmp_path: Path) -> None:
    shutil.copy(ROOT / "routes.yaml", tmp_path)
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = []
    assert len(boxes(PAGE)) == 2
    for box in boxes(PAGE):
        command = ["bash", "-euo", "pipefail", "-c", box]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0].startswith("envoy cannot do this of table ")
    assert yaml.safe_load((tmp_path / "envoy.yaml").read_text())["static_resources"]["clusters"]
    assert check_text((tmp_path / "imported.yaml").read_text(), {}).faults == ()
