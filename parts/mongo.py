"""A server with MongoDB's protocol for the monolith's documents: FerretDB on SQLite, built from mongo_server/."""

import hashlib
import os
import re
import shutil
from pathlib import Path

from parts.place import PartFailed, Place
from parts.process import Daemon, is_open, run

NAME = "mongo"
PORT = int(os.environ.get("MONGO_PORT") or 17017)
URL = f"mongodb://127.0.0.1:{PORT}/"
SOURCE = Path(__file__).with_name("mongo_server")
START_TIMEOUT_S = 30
OLDEST_GO = (1, 21)  # downloads the version that go.mod requires


def install() -> None:
    """Checks that Go is installed: not every distribution has a package of it."""
    _go()


def build(place: Place) -> None:
    """Builds this source once, in about a minute. Raises PartFailed."""
    program = _program(place)
    if program.exists():
        return
    program.parent.mkdir(exist_ok=True)
    new = program.with_suffix(".new")
    run([_go(), "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", new, "."], cwd=SOURCE)
    new.replace(program)


def start(place: Place) -> None:
    """Raises PartFailed."""
    daemon = Daemon(place, NAME)
    if daemon.process() is not None:
        return
    if is_open(PORT):
        raise PartFailed(f"another program uses port {PORT}; set another one in MONGO_PORT")
    if not _program(place).exists():
        raise PartFailed(f"it is not built: python -m parts build {NAME}")
    folder = place.folder(NAME)
    daemon.start([_program(place), "-listen", f"127.0.0.1:{PORT}", "-data", folder], PORT, START_TIMEOUT_S)


def stop(place: Place) -> None:
    """Ends the process of its pid file."""
    Daemon(place, NAME).stop()


def is_running(place: Place) -> bool:
    """Whether this part runs; another program on its port does not count."""
    return Daemon(place, NAME).process() is not None


def _program(place: Place) -> Path:
    """The program's path, which changes with its source."""
    source = b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    return place.root / "bin" / f"{NAME}-{hashlib.sha256(source).hexdigest()[:12]}"


def _go() -> Path:
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if found is None:
        raise PartFailed(f"Go is missing; install Go {_text(OLDEST_GO)} or newer, then repeat")
    version = re.search(r"go(\d+)\.(\d+)", run([found, "version"]))
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        raise PartFailed(f"{found} is too old; install Go {_text(OLDEST_GO)} or newer")
    return Path(found)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
