"""Users of all groups: requests at random times, each at its rate, over connections that stay open."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.faults.driven.faults import Fault

USERS, TEACHERS = 4000, 0.08
AT_ONCE = 40
"""Connections; a request that finds none free waits."""


class Crowd:
    """`answers`: by group, how often each status came."""

    def __init__(self, port: int, faults: Sequence[Fault], seed: int) -> None:
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        self._port, self._faults, self._chance = port, faults, random.Random(f"{seed} traffic")
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
        for _ in range(AT_ONCE):
            self._free.put_nowait(None)

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for fault in self._faults:
                    tasks.create_task(self._users_of(fault, tasks))
        finally:
            while not self._free.empty():
                if (connection := self._free.get_nowait()) is not None:
                    connection[1].transport.abort()

    async def _users_of(self, fault: Fault, tasks: asyncio.TaskGroup) -> None:
        """Poisson arrivals; what the loop was late for is made up for."""
        chance, due = self._chance, time.monotonic()
        while True:
            due += chance.expovariate(fault.per_second)
            await asyncio.sleep(max(due - time.monotonic(), 0))
            number = chance.randrange(USERS)
            kind = "teacher" if number < USERS * TEACHERS else "pupil"
            method = "POST" if chance.random() < fault.writes else "GET"
            tasks.create_task(self._ask(fault.name, method, f"{kind}-{number}"))

    async def _ask(self, group: str, method: str, user: str) -> None:
        connection = await self._free.get()
        try:
            reader, writer = connection or await asyncio.open_connection("127.0.0.1", self._port)
            length = "Content-Length: 0\r\n" if method == "POST" else ""
            writer.write(f"{method} /{group}/{user} HTTP/1.1\r\nHost: x\r\nX-User: {user}\r\n{length}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            self.answers[group][int(head[9:12])] += 1
            await reader.readexactly(_length(head))
            connection = reader, writer
        except (OSError, EOFError):
            self.answers[group][0] += 1
            connection = None
        except asyncio.CancelledError:
            if connection is not None:
                connection[1].transport.abort()
            connection = None
            raise
        finally:
            self._free.put_nowait(connection)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length: ")
    return int(rest.partition(b"\r\n")[0] or 0)
