"""Each service's image holds the folders that the service imports, and no more of ours is loaded."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.extracted.running import ROOT, START_TIMEOUT_S

pytestmark = pytest.mark.walk

OURS = {"chassis", "extracted", "legacy_adapter", "strangler_gateway", "examples"}
SERVICES = ("account", "mailer", "shop")


@pytest.mark.parametrize("service", SERVICES)
def test_the_folders_of_its_image_suffice(tmp_path: Path, service: str) -> None:
    lines = (ROOT / "extracted" / service / "Dockerfile").read_text().splitlines()
    for source, target in (line.split()[1:] for line in lines if line.startswith("COPY ") and "--from" not in line):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target)
        elif target != ".":
            (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / target)
    code = f"import sys, extracted.{service}.main; print(*(getattr(m, '__file__', m) for m in sys.modules.values()))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=True)
    loaded = {Path(file) for file in ended.stdout.split()}
    assert [path for path in loaded if ROOT in path.parents and path.relative_to(ROOT).parts[0] in OURS] == []
    assert tmp_path / "extracted" / service / "main.py" in loaded
    assert not any((tmp_path / "extracted" / other).exists() for other in SERVICES if other != service)
