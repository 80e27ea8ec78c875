"""The routes for modules (contract §6.1)."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from chassis.auth.claims import Identity
from extracted.learning.api.callers import GuardedRoute, is_admin, may_read
from extracted.learning.api.lists import ListRules, asked
from extracted.learning.contents.domain import shown_to
from extracted.learning.domain import Compat
from extracted.learning.modules.domain import Author, Module
from extracted.learning.modules.ports import ModuleStore
from extracted.wire import jsontext, responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import ARRAY, NUMBER, OBJECT, STRING, STRINGS, Rule, Shape, length, optional, required

LIST: Final = ListRules(("name", "reward"), {"name": True, "authorId": False}, tags=True)
_RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "name": (STRING, *length(3, 30)),
    "description": (STRING,),
    "type": (STRING,),
    "reward": (NUMBER,),
    "tags": (ARRAY,),
    "data": (OBJECT,),
    "modules": (ARRAY, STRINGS),
    "contents": (ARRAY, STRINGS),
}
NEW_MODULE: Final[Shape] = {name: required(*rules) for name, rules in _RULES.items()}
CHANGES: Final[Shape] = {name: optional(*rules) for name, rules in _RULES.items()}


def routes(modules: ModuleStore, compat: Compat) -> Iterator[GuardedRoute]:
    """Create, list, read, change, delete."""
    yield "POST", "/module", is_admin, partial(_create, modules)
    yield "GET", "/module", may_read, partial(_list, modules)
    yield "GET", "/module/{id}", may_read, partial(_get, modules, compat)
    yield "PATCH", "/module/{id}", is_admin, partial(_change, modules)
    yield "DELETE", "/module/{id}", is_admin, partial(_remove, modules)


async def _create(modules: ModuleStore, request: ApiRequest, identity: Identity) -> ApiResponse:
    refusal = validation.refusal(NEW_MODULE, request.body)
    if refusal is not None:
        return refusal
    return responses.one(_shown(await modules.add(identity.subject or "", _fields(NEW_MODULE, request.body))), 201)


async def _list(modules: ModuleStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    wanted = asked(LIST, request.query)
    if wanted is None:
        return responses.BAD_REQUEST
    query, metadata = wanted
    return responses.many([_shown(module) for module in await modules.select(query)], metadata)


async def _get(modules: ModuleStore, compat: Compat, request: ApiRequest, identity: Identity) -> ApiResponse:
    module = await modules.find(request.variables[0])
    if module is None:
        return responses.NOT_FOUND
    contents = [shown_to(identity.roles, compat, content) for content in module.contents]
    return responses.one(_shown(replace(module, contents=contents)))


async def _change(modules: ModuleStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    refusal = validation.refusal(CHANGES, request.body)
    if refusal is not None:
        return refusal
    return responses.one(_shown(await modules.change(request.variables[0], _fields(CHANGES, request.body))))


async def _remove(modules: ModuleStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    await modules.remove(request.variables[0])
    return responses.nothing(204)


def _fields(shape: Shape, body: object) -> dict[str, Any]:
    """In the order of the shape. Tags that are numbers become texts, as in Mongoose."""
    fields = validation.known(shape, body) if isinstance(body, dict) else {}
    tags = fields.get("tags")
    return fields | ({"tags": [_tag(tag) for tag in tags]} if isinstance(tags, list) else {})


def _tag(tag: object) -> object:
    is_number = isinstance(tag, int | float) and not isinstance(tag, bool)
    return jsontext.stringify(tag).decode() if is_number else tag


def _shown(module: Module) -> dict[str, object]:
    """`data` has no fields in the monolith's schema, so it always shows the same (fault F17)."""
    return {
        "id": module.id,
        "name": module.name,
        "description": module.description,
        "type": module.type,
        "reward": module.reward,
        "tags": module.tags,
        "data": {"_id": None},
        "modules": module.modules,
        "contents": module.contents,
        "author": _author(module.author),
    }


def _author(author: Author | None) -> dict[str, object]:
    """Without the rank; empty if the user is gone."""
    if author is None:
        return {}
    return {
        "id": author.id,
        "username": author.username,
        "description": author.description,
        "points": author.points,
    }
