"""Redis, for what several gateways count together. No password; nothing is kept on disk."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from parts import packages
from parts.place import OsUser, PartFailed, Place
from parts.process import Daemon, free_port, is_open

NAME = "redis"
PORT = int(os.environ.get("REDIS_PORT") or 16379)
URL = f"redis://127.0.0.1:{PORT}/0"
PROGRAM = "redis-server"
START_TIMEOUT_S = 10
SETTINGS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")


class RedisServer:
    """One server. `more`: settings as its command line takes them."""

    def __init__(self, place: Place, port: int, *more: str) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._more = more
        self._daemon = Daemon(place, NAME)

    def start(self) -> None:
        """Takes a moment; empty again after a stop. Raises PartFailed."""
        if self.process() is None:
            command = [_program(), "--port", str(self.port), *SETTINGS, *self._more]
            self._daemon.start(command, self.port, START_TIMEOUT_S)

    def stop(self) -> None:
        """Gracefully."""
        self._daemon.stop()

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._daemon.kill()

    def process(self) -> psutil.Process | None:
        """The server's process; a test may suspend it, for example."""
        return self._daemon.process()


@contextmanager
def own(folder: Path, *more: str) -> Iterator[RedisServer]:
    """A running server for a fault test, which may stop and kill it: on a free port, as the current user."""
    server = RedisServer(Place(folder, OsUser(os.geteuid(), os.getegid())), free_port(), *more)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def install() -> None:
    """Installs the package unless its program exists."""
    if shutil.which(PROGRAM) is None:
        packages.install(PROGRAM, "Redis")


def build(_place: Place) -> None:
    """Nothing to do."""


def start(place: Place) -> None:
    """Raises PartFailed."""
    if is_running(place):
        return
    if is_open(PORT):
        raise PartFailed(f"another program uses port {PORT}; set another one in REDIS_PORT")
    RedisServer(place, PORT).start()


def stop(place: Place) -> None:
    """Ends the process of its pid file."""
    RedisServer(place, PORT).stop()


def is_running(place: Place) -> bool:
    """Whether this part runs; another program on its port does not count."""
    return RedisServer(place, PORT).process() is not None


def _program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        raise PartFailed(f"{PROGRAM} is missing: python -m parts install {NAME}")
    return found
