"""How a gateway is told what to do: the admin port, and the routes file. It can end and begin again in one process."""

import asyncio
import socket
from collections.abc import Callable, Coroutine

from starlette.applications import Starlette

from strangler_gateway.migration.routes_file.watch import Reloader
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
        page: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        """`page` runs for ever beside the admin port."""
        self._settings, self._app, self._listener = settings, app, listener
        self._reloader, self._driver, self._page = reloader, driver, page
        self.tasks = tasks
        self._server: Server | None = None
        self._running: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Returns when the admin port is served."""
        self._server = admin_server(self._settings, self._app)
        self._running = [
            self.tasks.create_task(self._server.serve([self._listener.dup()])),
            self.tasks.create_task(self._page()),
            self.tasks.create_task(self._reloader.run()),
            self.tasks.create_task(self._driver.run()),
        ]
        await self._server.up.wait()

    async def end(self) -> None:
        """What is under way may take a second more."""
        if self._server is not None:
            self._server.should_exit = True
            serving, page, *others = self._running
            page.cancel()  # its open streams end, so that the server need not wait for them
            await serving
            for task in others:
                task.cancel()
            await asyncio.gather(page, *others, return_exceptions=True)
