"""The admin API on its own port: shows what is served, and moves it. Health, metrics and JWKS need no credential."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis.service.metrics import CONTENT_TYPE, rendered
from strangler_gateway.admin import bodies, views
from strangler_gateway.admin.auth import Role, bearer
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.admin.plan_calls import PlanCalls
from strangler_gateway.admin.plan_views import plan_metrics
from strangler_gateway.admin.recording import RecordingStream, about
from strangler_gateway.admin.requests import HANDLERS, HOLDER, AdminRefusal, body, caller, query_field, unknown_name
from strangler_gateway.admin.retirement import MAX_DOCUMENT
from strangler_gateway.cluster.peers import PATH
from strangler_gateway.recording.record import Recording
from strangler_gateway.telemetry.bulkheads import bulkhead_metrics
from strangler_gateway.telemetry.instances import instance_metrics
from strangler_gateway.telemetry.metrics_page import request_metrics

MAX_LOG = 1000


Endpoint = Callable[[Request], Awaitable[Response]]


def admin_app(desk: AdminDesk, pages: Sequence[Route] = ()) -> Starlette:
    """The ASGI application of the admin port. `pages`: what people look at."""
    admin = _Admin(desk)
    routes = [
        Route("/health/live", admin.live),
        Route("/health/ready", admin.ready),
        Route("/metrics", admin.metrics),
        Route("/.well-known/jwks.json", admin.jwks),
        Route("/status", admin.reads(admin.status)),
        Route("/overview", admin.reads(admin.overview)),
        Route("/routes", admin.reads(admin.routes)),
        Route("/services", admin.reads(admin.services)),
        Route("/queues", admin.reads(admin.queues)),
        Route("/queues", admin.writes(admin.unpark), methods=["POST"]),
        Route("/inventory", admin.reads(admin.inventory)),
        Route("/differences", admin.reads(admin.differences)),
        Route("/log", admin.reads(admin.log)),
        Route("/diff", admin.reads(admin.diff)),
        Route("/gate", admin.reads(admin.gate)),
        Route("/groups/{name}/evidence", admin.reads(admin.evidence)),
        Route("/retire-report", admin.reads(admin.retirement.report)),
        Route("/explain", admin.reads(admin.explain)),
        Route("/flip", admin.writes(admin.flip), methods=["POST"]),
        Route("/rollback", admin.writes(admin.rollback), methods=["POST"]),
        Route("/release", admin.writes(admin.release), methods=["POST"]),
        Route("/record", admin.writes(admin.record), methods=["POST"]),
        Route("/adopt", admin.writes(admin.adopt), methods=["POST"]),
        Route("/reload", admin.writes(admin.reload), methods=["POST"]),
        Route("/plans", admin.reads(admin.plans.listed)),
        Route("/plans/{name}", admin.reads(admin.plans.one)),
        *(
            Route(f"/plans/{{name}}/{verb}", admin.writes(call), methods=["POST"])
            for verb, call in admin.plans.verbs.items()
        ),
        Route("/gateways", admin.reads(admin.gateways.listed)),
        Route("/gateways/forget", admin.writes(admin.gateways.forget), methods=["POST"]),
    ]
    routes += [Route(PATH + name, called, methods=["POST"]) for name, called in admin.gateways.calls.items()]
    return Starlette(routes=[*routes, *pages], exception_handlers=HANDLERS)


class _Admin:
    def __init__(self, desk: AdminDesk) -> None:
        self._parts, self._migration = desk.parts, desk.migration
        self._access, self._operations, self._reports = desk.access, desk.operations, desk.reports
        self.gateways, self.retirement = desk.gateways, desk.retirement
        self._queues, self._overview = desk.queues, desk.overview
        self.plans = PlanCalls(desk.parts.plans, desk.operations)

    def reads(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for readers and operators."""
        return self._guarded(Role.READER, endpoint)

    def writes(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for operators."""
        return self._guarded(Role.OPERATOR, endpoint)

    def _guarded(self, wanted: Role, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            fields = request.headers
            authorization = fields.get("authorization", "")
            denied = self._access.denies(wanted, authorization, fields.get("host", ""))
            if denied is not None:
                raise AdminRefusal(denied.status, "denied", denied.message)
            request.scope[HOLDER] = self._access.holder(bearer(authorization))
            return await endpoint(request)

        return guarded

    async def live(self, request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> Response:
        ready = self._parts.is_ready()
        degraded = self._degraded()
        shown = {"status": "ready" if ready else "not ready"} | ({"degraded": degraded} if degraded else {})
        return JSONResponse(shown, 200 if ready else 503)

    def _degraded(self) -> list[str]:
        redis = ["redis"] if self._parts.limits().problem is not None or self._parts.turns() is not None else []
        stale = any(one.status.problem for one in self._parts.discovered.reports().values())
        return redis + (["discovery"] if stale else [])

    async def metrics(self, request: Request) -> Response:
        await self._migration.refresh()
        requests = request_metrics(self._parts.stats, self._migration.served)
        others = (
            *views.migration_metrics(self._migration),
            *views.limit_metrics(self._parts.limits()),
            *instance_metrics(self._parts.instances()),
            *bulkhead_metrics(self._parts.bulkheads()),
            *views.discovery_metrics(self._parts.discovered.reports()),
            *self.gateways.metrics(),
            *(plan_metrics(self._parts.plans) if self._parts.plans is not None else ()),
        )
        return Response(rendered(*requests, *others), media_type=CONTENT_TYPE)

    async def jwks(self, request: Request) -> Response:
        return JSONResponse(self._parts.keys.jwks(), headers={"Cache-Control": "max-age=60"})

    async def log(self, request: Request) -> Response:
        limit = query_field(request, "limit", "100")
        if not limit.isdecimal() or not 1 <= int(limit[:6]) <= MAX_LOG:
            raise AdminRefusal(422, "invalid", f"limit must be a number from 1 to {MAX_LOG}, not {limit[:20]!r}")
        entries = self._migration.log(int(limit), request.query_params.get("unit"))
        return JSONResponse({"entries": [views.journal_entry(entry) for entry in entries]})

    async def diff(self, request: Request) -> Response:
        return JSONResponse(views.diff(await self._migration.diff()))

    async def status(self, request: Request) -> Response:
        return JSONResponse(self._reports.status())

    async def overview(self, request: Request) -> Response:
        return JSONResponse(await self._overview.asked())

    async def routes(self, request: Request) -> Response:
        """With `counters=own` those of this gateway alone: nobody is asked."""
        own = request.query_params.get("counters") == "own"
        return JSONResponse(await self._reports.routes(own=own))

    async def services(self, request: Request) -> Response:
        return JSONResponse(await self._reports.services())

    async def queues(self, request: Request) -> Response:
        return JSONResponse({"services": await self._queues.all()})

    async def unpark(self, request: Request) -> Response:
        asked = await body(request, bodies.Unpark)
        return JSONResponse({"says": await self._queues.act(asked, caller(request, asked.who))})

    async def inventory(self, request: Request) -> Response:
        return JSONResponse(await self._reports.inventory())

    async def differences(self, request: Request) -> Response:
        return JSONResponse(await self._reports.differences(query_field(request, "route")))

    async def gate(self, request: Request) -> Response:
        return JSONResponse(await self._reports.gate(query_field(request, "unit")))

    async def evidence(self, request: Request) -> Response:
        return JSONResponse(await self._reports.evidence(request.path_params["name"]))

    async def explain(self, request: Request) -> Response:
        method, path = query_field(request, "method"), query_field(request, "path")
        return JSONResponse(self._reports.explain(method, path, request.query_params.get("user")))

    async def flip(self, request: Request) -> Response:
        asked = await body(request, bodies.Flip, MAX_DOCUMENT)
        result = await self._operations.flip(asked, caller(request, asked.who))
        shown = views.move_result(result) | {"swaps": self._migration.swaps}
        return JSONResponse(shown, 200 if result.done else 409)

    async def rollback(self, request: Request) -> Response:
        asked = await body(request, bodies.Rollback)
        results, reached = await self._operations.rollback(asked, caller(request, asked.who))
        shown: views.View = {"units": [views.move_result(result) for result in results]}
        return JSONResponse(shown | ({"gateways": reached} if reached else {}))

    async def release(self, request: Request) -> Response:
        """One movable is answered as a result, all of them as `units`."""
        asked = await body(request, bodies.OneOrAll)
        results = await self._operations.release(asked, caller(request, asked.who))
        shown = [views.move_result(result) for result in results]
        done = all(result.done for result in results)
        return JSONResponse(shown[0] if asked.unit else {"units": shown}, 200 if done else 409)

    async def adopt(self, request: Request) -> Response:
        asked = await body(request, bodies.One)
        result = await self._migration.adopt(
            self._operations.movable(asked.unit).name, who=caller(request, asked.who), why=asked.why
        )
        return JSONResponse(views.move_result(result), 200 if result.done else 409)

    async def record(self, request: Request) -> Response:
        asked = await body(request, bodies.Record)
        served = self._migration.served
        if asked.route is not None and asked.route not in {route.id for route in served.routes}:
            raise unknown_name(asked.route)
        if self._parts.recorder.recording is not None:
            raise AdminRefusal(409, "recording", "a recording is under way; there is one at a time")
        who = caller(request, asked.who)
        return RecordingStream(self._parts.recorder, Recording(asked.wanted), about(served.digest, asked.route), who)

    async def reload(self, request: Request) -> Response:
        reloaded = await self._migration.reload()
        return JSONResponse(views.reloaded(reloaded), 409 if reloaded.faults else 200)
