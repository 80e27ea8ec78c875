"""The routes for contents (contract §6.2)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from chassis.auth.claims import Identity
from extracted.learning.api.callers import GuardedRoute, is_admin, may_read
from extracted.learning.api.lists import ListRules, asked
from extracted.learning.contents.api.component_shapes import COMPONENT_CHANGES, NEW_COMPONENT
from extracted.learning.contents.domain import Json, TreeRefused, shown_to
from extracted.learning.contents.ports import ContentStore
from extracted.learning.domain import Compat
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Guarded
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import NUMBER, OBJECT, STRING, Shape, at_least, min_length, nested, one_of, required

LIST: Final = ListRules(("name", "reward"), {"name": True})
_TEXT: Final = (STRING, min_length(3))
NEW_CONTENT: Final[Shape] = {
    "name": required(*_TEXT),
    "description": required(*_TEXT),
    "type": required(one_of(("exercise", "lesson"))),
    "reward": required(NUMBER, at_least(0)),
    "rootComponent": nested(NEW_COMPONENT, optional=True),
    "data": required(OBJECT),
}
CONTENT_CHANGES: Final[Shape] = {**NEW_CONTENT, "rootComponent": nested(COMPONENT_CHANGES)}

View = Callable[[Identity, Json], Json]


def routes(contents: ContentStore, compat: Compat) -> Iterator[GuardedRoute]:
    """Create, list, read, replace, delete."""
    view: View = partial(_seen, compat)
    yield "POST", "/content", is_admin, partial(_create, contents)
    yield "GET", "/content", may_read, partial(_list, contents, view)
    yield "GET", "/content/{id}", may_read, partial(_get, contents, view)
    yield "PUT", "/content/{id}", is_admin, _tree_refused(partial(_replace, contents))
    yield "DELETE", "/content/{id}", is_admin, partial(_remove, contents)


async def _create(contents: ContentStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    refusal = validation.refusal(NEW_CONTENT, request.body)
    return refusal or responses.one(await contents.add(_fields(NEW_CONTENT, request.body)), 201)


async def _list(contents: ContentStore, view: View, request: ApiRequest, identity: Identity) -> ApiResponse:
    wanted = asked(LIST, request.query)
    if wanted is None:
        return responses.BAD_REQUEST
    query, metadata = wanted
    return responses.many([view(identity, content) for content in await contents.select(query)], metadata)


async def _get(contents: ContentStore, view: View, request: ApiRequest, identity: Identity) -> ApiResponse:
    content = await contents.find(request.variables[0])
    return responses.NOT_FOUND if content is None else responses.one(view(identity, content))


async def _replace(contents: ContentStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    refusal = validation.refusal(CONTENT_CHANGES, request.body)
    if refusal is not None:
        return refusal
    return responses.one(await contents.replace(request.variables[0], _fields(CONTENT_CHANGES, request.body)))


async def _remove(contents: ContentStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    return responses.one(await contents.remove(request.variables[0]), 204)


def _fields(shape: Shape, body: object) -> dict[str, Any]:
    sent = validation.sent(shape, body)
    return sent if isinstance(sent, dict) else {}


def _seen(compat: Compat, identity: Identity, content: Json) -> Json:
    return shown_to(identity.roles, compat, content)


def _tree_refused(handler: Guarded) -> Guarded:
    async def answer(request: ApiRequest, identity: Identity) -> ApiResponse:
        try:
            return await handler(request, identity)
        except TreeRefused as refusal:
            return responses.error(400, str(refusal), "Bad Request")

    return answer
