"""`python -m images`: builds all images; prints a line per image; exits with 1 if one cannot be built."""

import os
import sys
from pathlib import Path

from images import base, podman
from images.build import build_all
from images.engine import Engine, EngineFailed
from parts import docker


def engine() -> Engine:
    """Docker if it answers, else Podman. Raises EngineFailed."""
    if docker.answers():
        return Engine("docker", ("docker", "compose"))
    return podman.engine(folder())


def folder() -> Path:
    """Podman's images and settings, kept between runs: IMAGES_DIR, or a folder in /var/tmp."""
    path = Path(os.environ.get("IMAGES_DIR") or f"/var/tmp/strangler-images-{os.geteuid()}").absolute()  # noqa: S108
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise EngineFailed(f"{path} belongs to another user; name another folder in IMAGES_DIR")
    return path


def main() -> int:
    try:
        found = engine()
        if found.command == "podman":
            base.provide(found)
        build_all(found)
    except EngineFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
