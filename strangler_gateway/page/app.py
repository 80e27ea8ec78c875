"""The routes of the page on the admin port. It works without JavaScript; with it, what is shown follows by itself."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.migration.migration import Migration
from strangler_gateway.page.acting import PageActions
from strangler_gateway.page.entry.door import Door
from strangler_gateway.page.entry.log_in import LogIn
from strangler_gateway.page.entry.sessions import LoginSessions
from strangler_gateway.page.entry.visitor import Visitors
from strangler_gateway.page.following import Following
from strangler_gateway.page.live.stream import LiveStream
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.reading import ReadPages, to_page
from strangler_gateway.page.render import static_file, templates

log = logging.getLogger(__name__)

AGAIN_S = 1.0


class OperatorsPage:
    """`routes` belong to the admin port; `run` beside it."""

    def __init__(
        self,
        desk: AdminDesk,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells monotonic seconds."""
        self.visitors = Visitors(desk.access, LoginSessions(clock))
        self._parts = PageParts(desk, self.visitors, templates())
        following, migration = Following(self._parts, clock), desk.migration
        self._stream = LiveStream(following.produce, partial(_version, migration), clock, migration.refresh)
        self._log_in = LogIn(self.visitors, clock, self._parts.show)

    @property
    def routes(self) -> Sequence[Route]:
        """Below /ui, and / for a browser."""
        reading, acting = ReadPages(self._parts, self._stream), PageActions(self._parts)
        door, log_in = Door(self.visitors, self._parts.show), self._log_in
        return [
            Route("/", to_page),
            Route("/ui", door.reads(reading.overview)),
            Route("/ui/group", door.reads(reading.group)),
            Route("/ui/request", door.reads(reading.request)),
            Route("/ui/services", door.reads(reading.services)),
            Route("/ui/queue", door.reads(acting.unparking)),
            Route("/ui/queue", door.acts(acting.unpark), methods=["POST"]),
            Route("/ui/journal", door.reads(reading.journal)),
            Route("/ui/history", door.follows(reading.history)),
            Route("/ui/live", door.follows(reading.live, reading.ended)),
            Route("/ui/move", door.reads(acting.preflight)),
            Route("/ui/move", door.acts(acting.flip), methods=["POST"]),
            Route("/ui/rollback", door.acts(acting.rollback), methods=["POST"]),
            Route("/ui/release", door.acts(acting.release), methods=["POST"]),
            Route("/ui/plan", door.acts(acting.plan), methods=["POST"]),
            Route("/ui/login", log_in.form),
            Route("/ui/login", log_in.enter, methods=["POST"]),
            Route("/ui/logout", log_in.leave, methods=["POST"]),
            Route("/ui/static/{name}", self._static),
            Route("/ui/{rest:path}", door.reads(reading.nothing)),
        ]

    async def run(self) -> None:
        """For ever: a fault is logged, and nobody but who looks at the page notices it."""
        await asyncio.gather(_kept("samples", self._parts.desk.sampler.run), _kept("live pages", self._stream.run))

    async def _static(self, request: Request) -> Response:
        found = static_file(request, request.path_params["name"])
        return found or self._parts.show(request, None, "refused.html", 404, message="there is no such file")


async def _kept(what: str, run: Callable[[], Awaitable[None]]) -> None:
    """Begins anew what has failed."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("the %s of the operators' page have failed, and begin anew in %g s", what, AGAIN_S)
        await asyncio.sleep(AGAIN_S)


def _version(migration: Migration) -> object:
    """Changes with what everybody should see at once: a move, a hold, a plan's pause, a fault."""
    standings = tuple(migration.standings.values())
    return migration.swaps, migration.faults, migration.problem, migration.store_problem, standings
