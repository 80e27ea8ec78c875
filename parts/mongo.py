"""A server with MongoDB's protocol for the monolith's documents: FerretDB on SQLite, built from mongo_server/."""

import os
from pathlib import Path

from parts.go_program import GoProgram, go
from parts.place import PartFailed, Place
from parts.process import Daemon, is_open

NAME = "mongo"
PORT = int(os.environ.get("MONGO_PORT") or 17017)
URL = f"mongodb://127.0.0.1:{PORT}/"
PROGRAM = GoProgram(NAME, Path(__file__).with_name("mongo_server"))
START_TIMEOUT_S = 30


def install() -> None:
    """Checks that Go is installed: not every distribution has a package of it."""
    go()


def build(place: Place) -> None:
    """Builds this source once, in about a minute. Raises PartFailed."""
    PROGRAM.build(place)


def start(place: Place) -> None:
    """Raises PartFailed."""
    daemon = Daemon(place, NAME)
    if daemon.process() is not None:
        return
    if is_open(PORT):
        raise PartFailed(f"another program uses port {PORT}; set another one in MONGO_PORT")
    folder = place.folder(NAME)
    daemon.start([PROGRAM.built(place), "-listen", f"127.0.0.1:{PORT}", "-data", folder], PORT, START_TIMEOUT_S)


def stop(place: Place) -> None:
    """Ends the process of its pid file."""
    Daemon(place, NAME).stop()


def is_running(place: Place) -> bool:
    """Whether this part runs; another program on its port does not count."""
    return Daemon(place, NAME).process() is not None
