"""The routes for modules (contract §6.1)."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from extracted.learning.api.callers import GuardedRoute, may_read
from extracted.learning.api.lists import ListRules, asked
from extracted.learning.modules.domain import Author, Module
from extracted.learning.modules.ports import ModuleStore
from extracted.wire import responses
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse

LIST: Final = ListRules(("name", "reward"), {"name": True, "authorId": False}, tags=True)


def routes(modules: ModuleStore) -> Iterator[GuardedRoute]:
    """The list."""
    yield "GET", "/module", may_read, partial(_list, modules)


async def _list(modules: ModuleStore, request: ApiRequest, _identity: Identity) -> ApiResponse:
    wanted = asked(LIST, request.query)
    if wanted is None:
        return responses.BAD_REQUEST
    query, metadata = wanted
    return responses.many([_shown(module) for module in await modules.select(query)], metadata)


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
