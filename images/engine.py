"""The program that builds images and runs containers, and how its commands are run."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]


class EngineFailed(Exception):
    """A command failed, or nothing here can build images. The message says what was seen and what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """`command`: docker or podman; `compose`: what reads compose.yaml. `environ` is added to the own environment."""

    command: str
    compose: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    build_options: Sequence[str] = ()

    def run(self, *words: str, stdin: str | None = None) -> str:
        """What one command prints on standard output. Raises EngineFailed with the end of its errors."""
        return run([self.command, *words], self.environ, stdin)

    def image_digest(self, image: str) -> str:
        """The SHA-256 that names an image here. Raises EngineFailed."""
        return self.run("image", "inspect", "--format={{.Id}}", image).strip().removeprefix("sha256:")

    def succeeds(self, *words: str) -> bool:
        """Whether the exit code is 0."""
        command = [self.command, *words]
        quiet = subprocess.DEVNULL
        environ = os.environ | self.environ
        done = subprocess.run(  # noqa: S603  # our own commands
            command, env=environ, stdout=quiet, stderr=quiet, check=False
        )
        return done.returncode == 0


def run(command: Sequence[str], environ: Mapping[str, str], stdin: str | None = None) -> str:
    """Runs it in the repository's root; the rest as `Engine.run`."""
    try:
        done = subprocess.run(  # noqa: S603  # our own commands
            command, cwd=ROOT, env=os.environ | environ, input=stdin or "", capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise EngineFailed(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = " ".join(command)
        raise EngineFailed(f"{words} failed ({done.returncode}):\n{(done.stdout + done.stderr).strip()[-4000:]}")
    return done.stdout
