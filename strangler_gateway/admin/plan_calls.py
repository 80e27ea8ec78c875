"""Plans on the admin port: shown to readers, and what operators ask of them."""

from collections.abc import Awaitable, Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from strangler_gateway.admin import plan_views
from strangler_gateway.admin.bodies import Text
from strangler_gateway.admin.operations import Operations
from strangler_gateway.admin.requests import AdminRefusal, body, caller, holder_of
from strangler_gateway.plans.plans import PlanAnswer, Plans, Wish


class PlanBody(BaseModel):
    """`step`: the one that is meant, so that a repeated call does not make the one after it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str = Field("", max_length=100)
    why: Text = ""
    step: str | None = Field(None, max_length=100)
    force: bool = False
    dry_run: bool = False


class PlanCalls:
    """`plans` None: nothing drives plans here."""

    def __init__(self, plans: Plans | None, operations: Operations) -> None:
        self._plans, self._operations = plans, operations

    @property
    def verbs(self) -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
        """What operators ask, by the last part of the path."""
        return {
            "advance": self._asked(lambda plans: plans.advance),
            "approve": self._asked(lambda plans: plans.approve),
            "pause": self._asked(lambda plans: plans.pause),
            "resume": self._asked(lambda plans: plans.resume),
        }

    async def listed(self, request: Request) -> Response:
        """All plans."""
        plans = self._plans
        reports = [await plans.report(unit) for unit in plans.names()] if plans is not None else []
        return JSONResponse({"plans": [plan_views.plan(report) for report in reports if report is not None]})

    async def one(self, request: Request) -> Response:
        """The plan of a group, or of a route that is in none."""
        unit = self._operations.movable(request.path_params["name"]).name
        report = await self._wanted().report(unit)
        if report is None:
            raise AdminRefusal(404, "no_plan", f"{unit} has no `plan:` in the routes file")
        return JSONResponse(plan_views.plan(report))

    def _asked(
        self, verb: Callable[[Plans], Callable[[str, Wish], Awaitable[PlanAnswer]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def call(request: Request) -> Response:
            asked = await body(request, PlanBody)
            unit, plans = self._operations.movable(request.path_params["name"]).name, self._wanted()
            answer = await verb(plans)(unit, _wish(request, asked))
            shown = plan_views.answer(answer, await plans.report(unit))
            return JSONResponse(shown, 200 if answer.done else 409)

        return call

    def _wanted(self) -> Plans:
        if self._plans is None:
            raise AdminRefusal(409, "no_plans", "nothing drives plans in this process")
        return self._plans


def _wish(request: Request, asked: PlanBody) -> Wish:
    holder = holder_of(request)
    credential = holder.name if holder is not None else "operator"
    return Wish(caller(request, asked.who), credential, asked.why, asked.step, asked.force, asked.dry_run)
