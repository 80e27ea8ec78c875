"""Redis, for what several gateways count together. No password; nothing is kept on disk."""

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from parts import packages
from parts.place import PartFailed, Place
from parts.ports import free_port
from parts.servers.server import Server, SharedServer, running

NAME = "redis"
PORT = int(os.environ.get("REDIS_PORT") or 16379)
URL = f"redis://127.0.0.1:{PORT}/0"
PROGRAM = "redis-server"
START_TIMEOUT_S = 10
SETTINGS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")


class RedisServer(Server):
    """One server. `more`: settings as its command line takes them."""

    def __init__(self, place: Place, port: int, *more: str) -> None:
        super().__init__(place, NAME)
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._more = more

    def start(self) -> None:
        """Takes a moment; empty again after a stop. Raises PartFailed."""
        if self.process() is None:
            command = [_program(), "--port", str(self.port), *SETTINGS, *self._more]
            self._daemon.start(command, self.port, START_TIMEOUT_S)


def own(folder: Path, *more: str) -> AbstractContextManager[RedisServer]:
    """A running server for a fault test, which may stop and kill it: on a free port, as the current user."""
    return running(RedisServer(Place.own(folder), free_port(), *more))


def install() -> None:
    """Installs the package unless its program exists."""
    if shutil.which(PROGRAM) is None:
        packages.install(PROGRAM, "Redis")


def build(_place: Place) -> None:
    """Nothing to do."""


def _shared(place: Place) -> RedisServer:
    return RedisServer(place, PORT)


SHARED = SharedServer(_shared, PORT, "REDIS_PORT")
start, stop, is_running = SHARED.start, SHARED.stop, SHARED.is_running


def _program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        raise PartFailed(f"{PROGRAM} is missing: python -m parts install {NAME}")
    return found
