"""The pages that show something, each with its JSON link."""

import asyncio
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from strangler_gateway.admin.requests import AdminRefusal, query_field
from strangler_gateway.overview.ring import ALL, Ring
from strangler_gateway.page.entry.visitor import Visitor
from strangler_gateway.page.following import differences_of, plan_of
from strangler_gateway.page.live.stream import EXPIRED, LiveStream, Topic
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.render import NEVER_STORED, as_json
from strangler_gateway.page.views import group, history, overview

MAX_JOURNAL = 200
EVENTS = "text/event-stream"
STREAMED = {**NEVER_STORED, "X-Accel-Buffering": "no"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class ReadPages:
    """A page whose query says `json=1` is answered as JSON."""

    def __init__(self, parts: PageParts, stream: LiveStream) -> None:
        self._parts, self._stream = parts, stream

    async def overview(self, request: Request, visitor: Visitor) -> Response:
        parts = self._parts
        view = await parts.desk.overview.asked()
        wanted = {name: request.query_params.get(name, "") for name in ("q", "state")}
        view["groups"] = [one for one in view["groups"] if overview.is_wanted(one, **wanted)]
        rows = (parts.ui.row(overview.shown(one)) for one in view["groups"])
        more = self._over_time(request, ALL)
        return self._answer(request, visitor, "overview.html", view, wanted=wanted, rows=rows, **more)

    async def group(self, request: Request, visitor: Visitor) -> Response:
        parts = self._parts
        await parts.desk.sampler.fresh()
        movable = parts.desk.operations.movable(query_field(request, "unit"))
        view = group.group(parts.migration, movable, parts.stats, parts.recent)
        view["evidence"] = await parts.desk.reports.evidence(movable.name)
        view["guard"] = group.guard(view["guard"], await parts.desk.gateways.guards_of_others(movable.name))
        view["differences"] = await differences_of(parts, view["routes"])
        view["plan"] = await plan_of(parts, movable.name)
        return self._answer(request, visitor, "group.html", view, me=view, **self._over_time(request, movable.name))

    async def request(self, request: Request, visitor: Visitor) -> Response:
        asked = {name: request.query_params.get(name, "").strip() for name in ("method", "path", "user")}
        method, path = asked["method"] or "GET", asked["path"]
        found = self._parts.desk.reports.explain(method, path, asked["user"] or None) if path.startswith("/") else None
        problem = "a path begins with /" if path and found is None else ""
        view: dict[str, Any] = {"asked": asked, "found": found}
        return self._answer(request, visitor, "request.html", view, problem=problem, methods=METHODS)

    async def services(self, request: Request, visitor: Visitor) -> Response:
        desk = self._parts.desk
        view, queues = await asyncio.gather(desk.reports.services(), desk.queues.all())
        view["services"] = [one | {"operators": queues.get(one["name"])} for one in view["services"]]
        return self._answer(request, visitor, "services.html", view)

    async def journal(self, request: Request, visitor: Visitor) -> Response:
        unit = request.query_params.get("unit", "")
        entries = overview.journal(self._parts.migration, MAX_JOURNAL, unit or None)
        return self._answer(request, visitor, "journal.html", {"unit": unit, "entries": entries})

    async def history(self, request: Request, visitor: Visitor) -> Response:
        """Samples later than `after`, for charts and programs."""
        ring, _ = self._ring(request)
        try:
            after = float(request.query_params.get("after", 0))
        except ValueError:
            raise AdminRefusal(422, "invalid", "after wants Unix seconds") from None
        self._parts.desk.sampler.watched()
        return as_json(request, history.history(ring, request.query_params.get("unit", ALL), after))

    async def live(self, request: Request, visitor: Visitor) -> Response:
        """A stream of what changes."""
        kind, unit, q, state = (request.query_params.get(name, "") for name in ("page", "unit", "q", "state"))
        viewer = self._stream.join(Topic(kind, unit, q, state, acts=kind == "group" and visitor.acts))
        if viewer is None:
            raise AdminRefusal(503, "viewers", "too many pages are open; this one does not follow by itself")
        self._parts.desk.sampler.watched()
        is_allowed = partial(self._parts.visitors.is_allowed, request)
        return StreamingResponse(self._stream.events(viewer, is_allowed), headers=STREAMED, media_type=EVENTS)

    def ended(self, request: Request) -> Response:
        """The stream of a page whose log-in has ended, or was forgotten by a restart."""
        return Response(EXPIRED, headers=STREAMED, media_type=EVENTS)

    def _over_time(self, request: Request, name: str) -> dict[str, Any]:
        ring, span = self._ring(request)
        return {"span": span, "table": history.table(ring, name)}

    def _ring(self, request: Request) -> tuple[Ring, str]:
        history, span = self._parts.desk.sampler.history, request.query_params.get("span", "")
        rings = {"day": history.day, "days": history.days}
        return (rings[span], span) if span in rings else (history.fine, "now")

    async def nothing(self, request: Request, visitor: Visitor) -> Response:
        message = f"there is no page {request.url.path[:200]}"
        return self._parts.show(request, visitor, "refused.html", 404, message=message)

    def _answer(self, request: Request, visitor: Visitor, template: str, view: dict[str, Any], **more: Any) -> Response:
        if request.query_params.get("json"):
            return as_json(request, view)
        return self._parts.show(request, visitor, template, **view, **more, json_link=_with_json(request))


async def to_page(request: Request) -> Response:
    """A browser that opens the admin port."""
    return RedirectResponse("/ui", 303, NEVER_STORED)


def _with_json(request: Request) -> str:
    return str(request.url.include_query_params(json=1).replace(scheme="", netloc=""))
