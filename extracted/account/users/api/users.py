"""Users (contract §4.1)."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.account.api.lists import listed
from extracted.account.api.refusals import Described
from extracted.account.domain import may_read_all
from extracted.account.users import domain
from extracted.account.users.api.of_user import is_own, of_user
from extracted.account.users.domain import User
from extracted.account.users.ports import UserStore
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import STRING, Shape, length, optional

CHANGES: Shape = {"username": optional(STRING, *length(3, 20)), "description": optional(STRING)}


def routes(users: UserStore) -> Iterator[Described]:
    """All routes of users but sign-up, which is in a file of its own."""
    yield "GET", "/user", _reads_users, partial(_list, users)
    yield "GET", "/user/{id}", _reads_user, of_user(partial(_get, users))
    yield "PATCH", "/user/{id}", _changes_user, of_user(partial(_change, users))
    yield "DELETE", "/user/{id}", _changes_user, of_user(partial(_delete, users))
    yield "GET", "/user/{id}/teams", _reads_user, of_user(partial(_teams, users))


def _reads_users(_call: ApiRequest, identity: Identity) -> bool:
    return may_read_all(identity.roles)


def _reads_user(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_user(identity.roles, own=is_own(call, identity))


def _changes_user(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_user(identity.roles, own=is_own(call, identity))


async def _list(users: UserStore, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return await listed(call, users.select, shown, order_keys=("points", "username"), filter_key="username")


async def _get(users: UserStore, _call: ApiRequest, user_id: str) -> ApiResponse:
    found = await users.find(user_id)
    return responses.NOT_FOUND if found is None else responses.one(shown(found.user) | {"rank": found.rank})


async def _change(users: UserStore, call: ApiRequest, user_id: str) -> ApiResponse:
    refusal = validation.refusal(CHANGES, call.body)
    if refusal is not None:
        return refusal
    user = await users.change(user_id, validation.texts(call.body))
    return responses.NOT_FOUND if user is None else responses.one(shown(user))


async def _delete(users: UserStore, _call: ApiRequest, user_id: str) -> ApiResponse:
    return responses.one({}, 204) if await users.delete(user_id) else responses.NOT_FOUND


async def _teams(users: UserStore, _call: ApiRequest, user_id: str) -> ApiResponse:
    teams = await users.teams(user_id)
    return responses.NOT_FOUND if teams is None else responses.one({"teams": [{"id": team} for team in teams]})


def shown(user: User) -> dict[str, object]:
    """Without the rank."""
    return {"id": user.id, "username": user.username, "description": user.description, "points": user.points}
