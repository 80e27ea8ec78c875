"""The servers of parts as objects: `make parts` starts one of each; a fault test has its own, and may do it harm."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psutil

from parts.place import PartFailed, Place
from parts.process import POLL_S, Daemon, is_open

SUSPENDED_WITHIN_S = 5.0


class Server(ABC):
    """One process with a folder. Its data stays there after `stop` and `kill`."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._folder = place.folder(name)
        self._daemon = Daemon(place, name)

    @abstractmethod
    def start(self) -> None:
        """Does nothing if it runs. Raises PartFailed."""

    def stop(self) -> None:
        """Gracefully, also where it is suspended."""
        self.resume()
        self._daemon.stop()

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._daemon.kill()

    def suspend(self) -> None:
        """SIGSTOP: connections stay open, and nothing is answered, as in a network that was cut."""
        process = self.process()
        if process is not None:
            process.suspend()
            deadline = time.monotonic() + SUSPENDED_WITHIN_S
            while not _is_suspended(process) and time.monotonic() < deadline:
                time.sleep(POLL_S / 10)

    def resume(self) -> None:
        """SIGCONT. Does no harm to one that runs."""
        process = self.process()
        if process is not None:
            process.resume()

    def process(self) -> psutil.Process | None:
        """None: it does not run."""
        return self._daemon.process()


S = TypeVar("S", bound=Server)


@dataclass(frozen=True)
class SharedServer:
    """The one that `make parts` starts. `variable`: where another port may be set."""

    at: Callable[[Place], Server]
    port: int
    variable: str

    def start(self, place: Place) -> None:
        """Raises PartFailed."""
        if self.is_running(place):
            return
        if is_open(self.port):
            raise PartFailed(f"another program uses port {self.port}; set another one in {self.variable}")
        self.at(place).start()

    def stop(self, place: Place) -> None:
        """Ends the processes of its pid files."""
        self.at(place).stop()

    def is_running(self, place: Place) -> bool:
        """Whether this part runs; another program on its port does not count."""
        return self.at(place).process() is not None


@contextmanager
def running(server: S) -> Iterator[S]:
    """Starts it, and ends it whatever happens."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _is_suspended(process: psutil.Process) -> bool:
    """All its threads: one that still runs may answer once more."""
    try:
        threads = [psutil.Process(thread.id).status() for thread in process.threads()]
    except psutil.NoSuchProcess:
        return True
    return all(status == psutil.STATUS_STOPPED for status in threads)
