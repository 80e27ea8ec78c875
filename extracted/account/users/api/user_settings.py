"""Settings of a user (contract §4.3)."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.account import domain
from extracted.account.api.refusals import Described
from extracted.account.domain import Settings
from extracted.account.service import Account
from extracted.account.users.api.of_user import is_own, of_user
from extracted.wire import answers, validation
from extracted.wire.answers import ApiResponse
from extracted.wire.application import ApiRequest
from extracted.wire.validation import STRING, Shape, one_of, optional

CHANGES: Shape = {"preferredEditingLanguage": optional(STRING), "preferredLanguage": optional(one_of(("en", "fr")))}
_FIELDS = {"preferredEditingLanguage": "editing_language", "preferredLanguage": "language"}


def routes(account: Account) -> Iterator[Described]:
    """All three of them."""
    yield "GET", "/user/{id}/settings", _reads, of_user(partial(_get, account))
    yield "PATCH", "/user/{id}/settings", _changes, of_user(partial(_change, account))
    yield "POST", "/user/{id}/settings/reset", _changes, of_user(partial(_reset, account))


def _reads(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_settings(identity.roles, own=is_own(call, identity))


def _changes(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_user(identity.roles, own=is_own(call, identity))


async def _get(account: Account, _call: ApiRequest, user_id: str) -> ApiResponse:
    return _found(await account.settings.find(user_id))


async def _change(account: Account, call: ApiRequest, user_id: str) -> ApiResponse:
    refusal = validation.refusal(CHANGES, call.body)
    if refusal is not None:
        return refusal
    changes = {_FIELDS[name]: value for name, value in validation.texts(call.body).items()}
    return _found(await account.settings.change(user_id, changes))


async def _reset(account: Account, _call: ApiRequest, user_id: str) -> ApiResponse:
    return _found(await account.reset_settings(user_id), 201)


def _found(settings: Settings | None, status: int = 200) -> ApiResponse:
    if settings is None:
        return answers.NOT_FOUND
    shown = {"preferredEditingLanguage": settings.editing_language, "preferredLanguage": settings.language}
    return answers.one(shown, status)
