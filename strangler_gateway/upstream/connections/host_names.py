"""The addresses of host names. Those known last stay in use while no name server answers.

The system's lookup blocks, up to half a minute where a name server is silent. So each lookup has a thread of its own,
one at a time for each name: other names, and everything else that needs a thread, do not wait for it.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

log = logging.getLogger(__name__)

FRESH_S: Final = 1.0
"""Connections that are opened together ask once."""
PATIENCE_S: Final = 0.5
"""After so long without an answer, known addresses are used."""
NO_SUCH_NAME: Final = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
"""A name server has said so; nothing else that goes wrong says anything of the name."""

Addresses = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _LastGood:
    addresses: Addresses
    at: float


@dataclass(frozen=True, slots=True)
class _Lookup:
    began: float
    answer: asyncio.Future[Addresses | Exception]


def look_up(host: str) -> Addresses:
    """Asks as the system is set up; blocks. Raises gaierror."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class HostNames:
    """What one process knows of the hosts that it connects to. `find` blocks; `now`: monotonic seconds."""

    def __init__(self, find: Callable[[str], Addresses] = look_up, now: Callable[[], float] = time.monotonic) -> None:
        self._find, self._now = find, now
        self._known: dict[str, _LastGood] = {}
        self._asked: dict[str, _Lookup] = {}
        self._stale: set[str] = set()
        """Names whose known addresses were used without an answer; each was logged."""

    async def addresses(self, host: str, timeout_s: float) -> Addresses:
        """In the order in which to try them; known ones after half of `timeout_s` at the latest. Raises OSError."""
        if _is_address(host):
            return (host,)
        known, now = self._known.get(host), self._now()
        if known and now - known.at < FRESH_S:
            return known.addresses
        lookup = self._asked.get(host) or self._ask(host, now)
        patience_s = max(0.0, lookup.began + min(PATIENCE_S, timeout_s / 2) - now) if known else None
        await asyncio.wait([lookup.answer], timeout=patience_s)
        return self._chosen(host, lookup.answer)

    def _chosen(self, host: str, asked: asyncio.Future[Addresses | Exception]) -> Addresses:
        answer = asked.result() if asked.done() else TimeoutError("no name server answers")
        if isinstance(answer, tuple):
            return answer
        known = self._known.get(host)
        if known is None:
            raise answer
        if host not in self._stale:
            self._stale.add(host)
            log.warning("%s cannot be looked up: %s; its last known addresses stay in use", host, answer)
        return known.addresses

    def _ask(self, host: str, now: float) -> _Lookup:
        loop = asyncio.get_running_loop()
        lookup = self._asked[host] = _Lookup(now, loop.create_future())
        # A daemon: the end of the process does not wait for a name server.
        threading.Thread(target=self._run, args=(host, loop), name=f"look up {host}", daemon=True).start()
        return lookup

    def _run(self, host: str, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own."""
        answer: Addresses | Exception
        try:
            answer = self._find(host)
        except Exception as error:
            answer = error
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(self._answered, host, answer)

    def _answered(self, host: str, answer: Addresses | Exception) -> None:
        if isinstance(answer, tuple):
            self._known[host] = _LastGood(answer, self._now())
            if host in self._stale:
                self._stale.remove(host)
                log.warning("%s can be looked up again", host)
        elif isinstance(answer, socket.gaierror) and answer.errno in NO_SUCH_NAME:
            self._known.pop(host, None)
            self._stale.discard(host)
        self._asked.pop(host).answer.set_result(answer)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
