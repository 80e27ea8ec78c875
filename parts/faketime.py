"""libfaketime: moves the clock of a process while it runs. A library of this machine: there is nothing to start."""

from pathlib import Path

from parts import packages
from parts.place import PartFailed

NAME = "faketime"
PACKAGE = "libfaketime"
DEBIAN = Path("/usr/lib")


def install() -> None:
    """The package, unless its library is there."""
    if _found() is None:
        packages.install(PACKAGE, PACKAGE)


def library() -> Path:
    """What LD_PRELOAD names. Raises PartFailed."""
    found = _found()
    if found is None:
        raise PartFailed(f"{PACKAGE} is missing: python -m parts install {NAME}")
    return found


def _found() -> Path | None:
    """In the folder of whatever architecture."""
    return min(DEBIAN.glob("*/faketime/libfaketime.so.1"), default=None)
