"""PostgreSQL for the monolith's tables. Superuser `postgres`, no password; the data is disposable."""

import os
import shutil
from pathlib import Path

from parts import packages
from parts.place import PartFailed, Place
from parts.process import is_open, run

NAME = "postgres"
PORT = int(os.environ.get("POSTGRES_PORT") or 15432)
URL = f"postgresql://postgres@127.0.0.1:{PORT}/postgres"
VERSION = 15
DEBIAN = Path(f"/usr/lib/postgresql/{VERSION}/bin")
START_TIMEOUT_S = 30
SETTINGS = {"listen_addresses": "127.0.0.1", "port": PORT, "max_connections": 500, "fsync": "off"}


def install() -> None:
    """Installs the package unless its programs exist."""
    if _programs() is None:
        packages.install(f"postgresql-{VERSION}", f"PostgreSQL {VERSION}")


def build(_place: Place) -> None:
    """Nothing to do."""


def start(place: Place) -> None:
    """Creates its data directory the first time. Raises PartFailed."""
    if is_running(place):
        return
    if is_open(PORT):
        raise PartFailed(f"another program uses port {PORT}; set another one in POSTGRES_PORT")
    folder = place.folder(NAME)
    if not (folder / "data" / "PG_VERSION").exists():
        own = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        run([_program("initdb"), "-D", folder / "data", *own], place.account)
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    _control(place, "start", "-l", folder / "log", "-o", f"{options} -c unix_socket_directories=''")


def stop(place: Place) -> None:
    """Rolls back open transactions."""
    if is_running(place):
        _control(place, "stop", "-m", "fast")


def is_running(place: Place) -> bool:
    """Whether this part runs; another program on its port does not count."""
    if not (place.root / NAME / "data" / "postmaster.pid").exists():
        return False
    try:
        _control(place, "status")
    except PartFailed:
        return False
    return True


def _control(place: Place, verb: str, *more: str | Path) -> None:
    waiting = () if verb == "status" else ("-w", "-t", str(START_TIMEOUT_S))
    command = (_program("pg_ctl"), verb, "-s", *waiting, "-D", place.root / NAME / "data", *more)
    try:
        run(command if verb != "status" else tuple(word for word in command if word != "-s"), place.account)
    except PartFailed as error:
        raise PartFailed(f"{error}\nSee {place.root / NAME / 'log'}") from error


def _program(name: str) -> Path:
    programs = _programs()
    if programs is None:
        raise PartFailed(f"PostgreSQL {VERSION} is missing: python -m parts install {NAME}")
    return programs / name


def _programs() -> Path | None:
    """Debian's folder for that version, or the one on the PATH."""
    if (DEBIAN / "initdb").exists():
        return DEBIAN
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None
