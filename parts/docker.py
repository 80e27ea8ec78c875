"""Runs the same parts by parts/compose.yaml if a Docker engine answers."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from parts.place import PartFailed

FILE = Path(__file__).with_name("compose.yaml")
ANSWER_TIMEOUT_S = 5


def answers() -> bool:
    """Whether Docker and its compose plugin can be used."""
    return shutil.which("docker") is not None and _succeeds("info") and _succeeds("compose", "version")


def start(names: Sequence[str], secrets: Mapping[str, str]) -> None:
    """Returns when all are healthy. `secrets`: values for compose.yaml. Raises PartFailed."""
    _compose(secrets, "up", "--detach", "--wait", *names)


def stop(names: Sequence[str], secrets: Mapping[str, str]) -> None:
    """With their data."""
    _compose(secrets, "rm", "--stop", "--force", "--volumes", *names)


def _compose(secrets: Mapping[str, str], *words: str) -> None:
    command = ["docker", "compose", "--file", str(FILE), *words]
    done = subprocess.run(command, env=os.environ | dict(secrets), check=False)  # noqa: S603
    if done.returncode != 0:
        raise PartFailed(
            f"docker compose {words[0]} failed ({done.returncode}); PARTS_WITH=scripts works without Docker"
        )


def _succeeds(*words: str) -> bool:
    try:
        quiet = subprocess.DEVNULL
        command = ["docker", *words]
        done = subprocess.run(command, stdout=quiet, stderr=quiet, timeout=ANSWER_TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
