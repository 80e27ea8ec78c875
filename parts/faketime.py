"""libfaketime: changes the clock of a running process. It is a library, so there is nothing to start."""

from pathlib import Path

from parts import packages
from parts.place import PartFailed

NAME = "faketime"
PACKAGE = "libfaketime"
DEBIAN = Path("/usr/lib")


def install() -> None:
    """Installs the package unless the library exists."""
    if _found() is None:
        packages.install(PACKAGE, PACKAGE)


def library() -> Path:
    """The path for LD_PRELOAD. Raises PartFailed."""
    found = _found()
    if found is None:
        raise PartFailed(f"{PACKAGE} is missing: python -m parts install {NAME}")
    return found


def _found() -> Path | None:
    """In the folder of any architecture."""
    return min(DEBIAN.glob("*/faketime/libfaketime.so.1"), default=None)
