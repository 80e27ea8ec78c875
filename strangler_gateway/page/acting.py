"""What operators do on the page: the preflight is shown before the click, and each action is one of the admin API's."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from strangler_gateway.admin import bodies, views
from strangler_gateway.admin.requests import AdminRefusal
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.page.entry.door import first
from strangler_gateway.page.entry.visitor import Visitor
from strangler_gateway.page.parts import PageParts
from strangler_gateway.page.render import NEVER_STORED, as_json
from strangler_gateway.page.texts import position
from strangler_gateway.plans.plans import Wish

Asked = TypeVar("Asked", bound=BaseModel)
PREVIEW_WHY = "preview"
"""A dry run must say why; what it says is not kept."""


class PageActions:
    """An action that is done redirects to the page that it was about, with a notice."""

    def __init__(self, parts: PageParts) -> None:
        self._parts = parts

    async def preflight(self, request: Request, visitor: Visitor) -> Response:
        """What would become of a move."""
        asked = _flip(request.query_params, why=PREVIEW_WHY, dry_run=True)
        result = await self._parts.desk.operations.flip(asked, visitor.who(request))
        return await self._shown(request, visitor, asked, result)

    async def flip(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> Response:
        """Moves."""
        asked = _flip(form, why=first(form, "why"), force=form.get("force") == "yes")
        result = await self._parts.desk.operations.flip(asked, visitor.who(request))
        if not result.done:
            return await self._shown(request, visitor, asked, result, 409)
        return self._done(visitor, [result], asked.unit)

    async def rollback(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> Response:
        """Home, at once."""
        asked = _checked(bodies.Rollback, _one_or_all(form))
        results, _ = await self._parts.desk.operations.rollback(asked, visitor.who(request))
        return self._done(visitor, results, asked.unit)

    async def release(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> Response:
        """Ends a hold."""
        asked = _checked(bodies.OneOrAll, _one_or_all(form))
        results = await self._parts.desk.operations.release(asked, visitor.who(request))
        return self._done(visitor, results, asked.unit)

    async def plan(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> Response:
        """Advance, approve, pause or resume."""
        plans = self._parts.desk.parts.plans
        unit, verb = self._parts.desk.operations.movable(form.get("unit", "")).name, form.get("verb")
        verbs = (
            {}
            if plans is None
            else {"advance": plans.advance, "approve": plans.approve, "pause": plans.pause, "resume": plans.resume}
        )
        if verb not in verbs:
            raise AdminRefusal(422, "invalid", "wanted advance, approve, pause or resume of a plan")
        assert visitor.session is not None  # an operator has logged in
        wish = Wish(visitor.who(request), visitor.session.holder.name, first(form, "why"), form.get("step"))
        answer = await verbs[verb](unit, wish)
        visitor.session.notice = answer.says
        return RedirectResponse(_group(unit), 303, NEVER_STORED)

    async def unparking(self, request: Request, visitor: Visitor) -> Response:
        """What would be done with a parked item, before it is done."""
        asked = _unpark(request.query_params, why=PREVIEW_WHY)
        service, action = await self._parts.desk.queues.found(asked)
        target = action.path.replace("{id}", asked.id)
        if request.query_params.get("json"):
            view = {"service": service.name, "method": "POST", "target": target, "warns": action.warns}
            return as_json(request, view)
        return self._parts.show(request, visitor, "unpark.html", asked=asked, target=target, warns=action.warns)

    async def unpark(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> Response:
        """Has a service do something with a parked item."""
        says = await self._parts.desk.queues.act(_unpark(form, why=first(form, "why")), visitor.who(request))
        assert visitor.session is not None  # an operator has logged in
        visitor.session.notice = says
        return RedirectResponse("/ui/services", 303, NEVER_STORED)

    async def _shown(
        self, request: Request, visitor: Visitor, asked: bodies.Flip, result: MoveResult, status: int = 200
    ) -> Response:
        view: dict[str, Any] = {"unit": asked.unit, "result": views.move_result(result)}
        if request.query_params.get("json"):
            return as_json(request, view)
        evidence = await self._parts.desk.reports.evidence(asked.unit)
        forcible = not result.done and all(refusal.forcible for refusal in result.refusals)
        why = "" if asked.why == PREVIEW_WHY else asked.why
        return self._parts.show(
            request, visitor, "move.html", status, **view, asked=asked, evidence=evidence, forcible=forcible, why=why
        )

    def _done(self, visitor: Visitor, results: Sequence[MoveResult], unit: str | None) -> Response:
        assert visitor.session is not None  # an operator has logged in
        visitor.session.notice = " ".join(map(_told, results)) or "Nothing had to be moved."
        return RedirectResponse(_group(results[0].unit) if unit else "/ui", 303, NEVER_STORED)


def _group(unit: str) -> str:
    return "/ui/group?" + urlencode({"unit": unit})


def _told(result: MoveResult) -> str:
    after = position(views.move_result(result)["after"])
    notes = "".join(f" ({note})" for note in result.warnings)
    if not result.done:
        return f"{result.unit} stays at {after}: {result.reason}."
    return f"{result.unit} is now at {after}{', on hold' if result.held else ''}{notes}."


def _flip(given: Mapping[str, str], **more: Any) -> bodies.Flip:
    """Raises AdminRefusal."""
    share = first(given, "share").removesuffix("%").strip().replace(",", ".")
    to = first(given, "to")
    guard = first(given, "guard_s")
    asked = {"unit": given.get("unit", ""), "to": to, "share": share if to == "canary" else None}
    return _checked(bodies.Flip, {**asked, "guard_s": guard or None, **more})


def _unpark(given: Mapping[str, str], why: str) -> bodies.Unpark:
    """Raises AdminRefusal."""
    fields = {name: given.get(name, "") for name in ("service", "queue", "id", "action")}
    return _checked(bodies.Unpark, {**fields, "why": why})


def _one_or_all(form: Mapping[str, str]) -> Mapping[str, Any]:
    unit = form.get("unit") or None
    return {"unit": unit, "all": unit is None, "why": first(form, "why")}


def _checked(model: type[Asked], given: Mapping[str, Any]) -> Asked:
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in exc.errors(include_url=False)]
        raise AdminRefusal(422, "invalid", "; ".join(faults).replace("Value error, ", "")) from None
