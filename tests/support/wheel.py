"""A virtual environment with the wheel and its dependencies only."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from examples.demo.environment import inherited

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")


@dataclass(frozen=True)
class CleanEnvironment:
    """`run` works in its folder."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def strangler(self) -> str:
        return str(self.folder / "bin" / "strangler")

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a command in it."""
        return inherited() | more

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ(**environ),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def build_wheel(folder: Path) -> Path:
    """The wheel, built in a folder."""
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    subprocess.run([*PIP, *build], check=True, timeout=120)
    return next(folder.glob("*.whl"))


def clean_environment(folder: Path) -> CleanEnvironment:
    """Installs the versions of the image's lock file from the registry that pip is configured for."""
    clean = CleanEnvironment(folder)
    venv.create(clean.folder, with_pip=False)
    install = (*PIP, "--python", clean.python, "install")
    lock = str(ROOT / "deploy/gateway.lock")
    subprocess.run([*install, "--no-compile", "--require-hashes", "-r", lock], check=True, timeout=240)
    wheel = build_wheel(folder / "dist")
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True, timeout=240)
    return clean
