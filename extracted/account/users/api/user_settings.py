"""Settings of a user (contract §4.3)."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.account.api.refusals import Described
from extracted.account.users import domain
from extracted.account.users.api.of_user import is_own, of_user
from extracted.account.users.domain import UserSettings
from extracted.account.users.service import UserService
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import STRING, Shape, one_of, optional

CHANGES: Shape = {"preferredEditingLanguage": optional(STRING), "preferredLanguage": optional(one_of(("en", "fr")))}
_FIELDS = {"preferredEditingLanguage": "editing_language", "preferredLanguage": "language"}


def routes(users: UserService) -> Iterator[Described]:
    """Read, change, reset."""
    yield "GET", "/user/{id}/settings", _reads, of_user(partial(_get, users))
    yield "PATCH", "/user/{id}/settings", _changes, of_user(partial(_change, users))
    yield "POST", "/user/{id}/settings/reset", _changes, of_user(partial(_reset, users))


def _reads(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_settings(identity.roles, own=is_own(call, identity))


def _changes(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_user(identity.roles, own=is_own(call, identity))


async def _get(users: UserService, _call: ApiRequest, user_id: str) -> ApiResponse:
    return _found(await users.settings.find(user_id))


async def _change(users: UserService, call: ApiRequest, user_id: str) -> ApiResponse:
    refusal = validation.refusal(CHANGES, call.body)
    if refusal is not None:
        return refusal
    changes = {_FIELDS[name]: value for name, value in validation.texts(call.body).items()}
    return _found(await users.settings.change(user_id, changes))


async def _reset(users: UserService, _call: ApiRequest, user_id: str) -> ApiResponse:
    return _found(await users.reset_settings(user_id), 201)


def _found(settings: UserSettings | None, status: int = 200) -> ApiResponse:
    if settings is None:
        return responses.NOT_FOUND
    shown = {"preferredEditingLanguage": settings.editing_language, "preferredLanguage": settings.language}
    return responses.one(shown, status)
