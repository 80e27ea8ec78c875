"""A copy of examples/service under another name passes its own test."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVICE = ROOT / "examples/service"


@pytest.mark.walk
def test_a_copy_under_another_name_passes_its_own_test(tmp_path: Path) -> None:
    copy = tmp_path / "greeter"
    shutil.copytree(SERVICE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in copy.glob("*.py"):
        file.write_text(file.read_text().replace("examples.service", "greeter"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(copy)]
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, "11 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_its_image_copies_every_folder_that_it_imports() -> None:
    image = (SERVICE / "Dockerfile").read_text()
    source = "\n".join(file.read_text() for file in SERVICE.glob("[a-z]*.py"))
    imported = set(
        re.findall(r"^(?:from|import) (chassis|examples\.\w+|extracted|legacy_adapter)", source, re.MULTILINE)
    )
    assert imported == {"chassis", "examples.service"}
    assert "COPY chassis chassis" in image
    assert "COPY examples/service examples/service" in image


def test_without_its_settings_it_says_which_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.service.main"]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, "SERVICE_JWKS_URL" in done.stderr) == (2, True)
