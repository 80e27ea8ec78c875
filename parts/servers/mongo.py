"""A server with MongoDB's protocol for the monolith's documents: FerretDB on SQLite, built from mongo_server/."""

import os
from pathlib import Path

from parts.go_program import GoProgram, go
from parts.place import Place
from parts.servers.server import Server, SharedServer

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


class MongoServer(Server):
    """One server."""

    def start(self) -> None:
        """Raises PartFailed."""
        command: list[str | Path] = [PROGRAM.built(self._place), "-listen", f"127.0.0.1:{PORT}", "-data", self._folder]
        self._daemon.start(command, PORT, START_TIMEOUT_S)


def _shared(place: Place) -> MongoServer:
    return MongoServer(place, NAME)


SHARED = SharedServer(_shared, PORT, "MONGO_PORT")
start, stop, is_running = SHARED.start, SHARED.stop, SHARED.is_running
