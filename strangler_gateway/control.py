"""How a gateway is told what to do: the admin port, and the routes file. It can end and begin again in one process."""

import asyncio
import socket

from starlette.applications import Starlette

from strangler_gateway.migration.file_watch import Reloader
from strangler_gateway.plans.driver import PlanDriver
from strangler_gateway.server.uvicorn_server import Server, admin_server
from strangler_gateway.settings import Settings


class Control:
    """`listener` stays open when it ends: what comes meanwhile waits there, for this process or the next one.

    `driver`: of plans. `tasks`: in which it runs.
    """

    def __init__(
        self,
        settings: Settings,
        app: Starlette,
        listener: socket.socket,
        reloader: Reloader,
        driver: PlanDriver,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._settings, self._app, self._listener = settings, app, listener
        self._reloader, self._driver = reloader, driver
        self.tasks = tasks
        self._server: Server | None = None
        self._running: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Returns when the admin port is served."""
        self._server = admin_server(self._settings, self._app)
        self._running = [
            self.tasks.create_task(self._server.serve([self._listener.dup()])),
            self.tasks.create_task(self._reloader.run()),
            self.tasks.create_task(self._driver.run()),
        ]
        await self._server.up.wait()

    async def end(self) -> None:
        """What is under way may take a second more."""
        if self._server is not None:
            self._server.should_exit = True
            serving, *others = self._running
            await serving
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
