"""The monolith and the service of all groups, as two ASGI applications on ports of their own."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from tests.faults.driven.faults import Asked, Fault

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]


class Upstreams:
    """`failed_users`: by group, users who got a failure of the new side."""

    def __init__(self, faults: dict[str, Fault], seed: int) -> None:
        self.began = time.monotonic()
        self.failed_users: dict[str, set[str]] = defaultdict(set)
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        """By group, when each request came to either side, in seconds since the beginning."""
        self._faults, self._chance = faults, random.Random(f"{seed} upstreams")
        self._servers = [uvicorn.Server(_config(self._app(is_new))) for is_new in (False, True)]

    async def start(self) -> tuple[int, int]:
        """The ports of the monolith and of the service."""
        self._tasks = [asyncio.create_task(server.serve()) for server in self._servers]
        while not all(server.started for server in self._servers):
            await asyncio.sleep(0.01)
        monolith, service = (server.servers[0].sockets[0].getsockname()[1] for server in self._servers)
        return monolith, service

    async def stop(self) -> None:
        for server in self._servers:
            server.should_exit = server.force_exit = True
        await asyncio.gather(*self._tasks)

    def _app(self, is_new: bool) -> Callable[..., Awaitable[None]]:
        async def app(scope: Scope, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
            if scope["type"] != "http":
                return
            _, group, user = scope["path"].split("/")
            at = time.monotonic() - self.began
            self.arrivals[group].append(at)
            answer = self._faults[group].answer(Asked(is_new, scope["method"], user, at, self._chance.random()))
            if is_new and answer.status >= 500:
                self.failed_users[group].add(user)
            await asyncio.sleep(answer.seconds)
            head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer.body))]
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            await send({"type": "http.response.body", "body": answer.body})

        return app


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False, ws="none")
