"""The routes of the page on the admin port. It works without JavaScript; with it, what is shown follows by itself."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.migration.migration import Migration
from strangler_gateway.page.acting import Acting
from strangler_gateway.page.entry.guard import Guard
from strangler_gateway.page.entry.log_in import LogIn
from strangler_gateway.page.entry.sessions import LoginSessions
from strangler_gateway.page.entry.visitor import Visitors
from strangler_gateway.page.following import Following
from strangler_gateway.page.live.sampler import Sampler
from strangler_gateway.page.live.stream import LiveStream
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.reading import Reading, to_page
from strangler_gateway.page.render import static_file, templates


class OperatorsPage:
    """`routes` belong to the admin port; `run` beside it."""

    def __init__(
        self,
        desk: AdminDesk,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`clock` tells monotonic seconds, `wall` Unix seconds."""
        self.sampler = Sampler(desk.migration, desk.parts.stats, clock, wall)
        self.visitors = Visitors(desk.access, LoginSessions(clock))
        self._parts = PageParts(desk, self.visitors, self.sampler, templates())
        following, migration = Following(self._parts, clock), desk.migration
        self._stream = LiveStream(following.produce, partial(_version, migration), clock, migration.refresh)
        self._log_in = LogIn(self.visitors, clock, self._parts.show)

    @property
    def routes(self) -> Sequence[Route]:
        """Below /ui, and / for a browser."""
        reading, acting = Reading(self._parts, self._stream), Acting(self._parts)
        guard, log_in = Guard(self.visitors, self._parts.show), self._log_in
        return [
            Route("/", to_page),
            Route("/ui", guard.reads(reading.overview)),
            Route("/ui/group", guard.reads(reading.group)),
            Route("/ui/request", guard.reads(reading.request)),
            Route("/ui/services", guard.reads(reading.services)),
            Route("/ui/journal", guard.reads(reading.journal)),
            Route("/ui/history", guard.reads(reading.history)),
            Route("/ui/live", guard.reads(reading.live)),
            Route("/ui/move", guard.reads(acting.preflight)),
            Route("/ui/move", guard.acts(acting.flip), methods=["POST"]),
            Route("/ui/rollback", guard.acts(acting.rollback), methods=["POST"]),
            Route("/ui/release", guard.acts(acting.release), methods=["POST"]),
            Route("/ui/plan", guard.acts(acting.plan), methods=["POST"]),
            Route("/ui/login", log_in.form),
            Route("/ui/login", log_in.enter, methods=["POST"]),
            Route("/ui/logout", log_in.leave, methods=["POST"]),
            Route("/ui/static/{name}", self._static),
            Route("/ui/{rest:path}", guard.reads(reading.nothing)),
        ]

    async def run(self) -> None:
        """For ever."""
        await asyncio.gather(self.sampler.run(), self._stream.run())

    async def _static(self, request: Request) -> Response:
        found = static_file(request, request.path_params["name"])
        return found or self._parts.show(request, None, "refused.html", 404, message="there is no such file")


def _version(migration: Migration) -> object:
    """Changes with what everybody should see at once."""
    held = [name for name, one in migration.standings.items() if one.hold is not None]
    return migration.swaps, migration.faults, migration.problem, migration.store_problem, tuple(held)
