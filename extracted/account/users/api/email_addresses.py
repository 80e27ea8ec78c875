"""E-mail addresses of users (contract §4.2)."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from chassis.uuid_text import canonical_uuid
from extracted.account.api.refusals import Described, NoId
from extracted.account.domain import Compat
from extracted.account.users import domain
from extracted.account.users.api.email_syntax import ADDRESS
from extracted.account.users.api.of_user import is_own, of_user
from extracted.account.users.domain import EmailAddress
from extracted.account.users.service import EmailAddressService
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Guarded
from extracted.wire.responses import ApiResponse, Listing
from extracted.wire.validation import Shape, required

NEW: Shape = {"email": required(ADDRESS)}


def routes(service: EmailAddressService) -> Iterator[Described]:
    """Whoever has a link or the id of an address needs no credential for the last two (fault F10)."""
    yield "GET", "/user/{id}/email", _reads, of_user(partial(_list, service))
    yield "POST", "/user/{id}/email", _changes, of_user(partial(_add, service))
    yield "DELETE", "/user/{id}/email/{emailId}", _changes, _deleting(service)
    yield "POST", "/user/email/validate/{token}", None, partial(_verify, service)
    yield "POST", "/user/email/regenerate-token/{emailId}", None, partial(_renew, service)


def _reads(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_settings(identity.roles, own=is_own(call, identity))


def _changes(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_user(identity.roles, own=is_own(call, identity))


async def _list(service: EmailAddressService, _call: ApiRequest, user_id: str) -> ApiResponse:
    return responses.many([_shown(email) for email in await service.of_user(user_id)], Listing())


async def _add(service: EmailAddressService, call: ApiRequest, user_id: str) -> ApiResponse:
    refusal = validation.refusal(NEW, call.body)
    if refusal is not None:
        return refusal
    email = await service.add(user_id, validation.texts(call.body)["email"] or "")
    return responses.NOT_FOUND if email is None else responses.one(_shown(email), 201)


def _deleting(service: EmailAddressService) -> Guarded:
    """The monolith ignores the user in the path (fault F9) and answers 500 after the deletion (C1)."""
    return partial(_delete_any, service) if service.compat is Compat.STRICT else of_user(partial(_delete, service))


async def _delete_any(service: EmailAddressService, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return responses.UNEXPECTED if await service.delete(_email_id(call.variables[1])) else responses.NOT_FOUND


async def _delete(service: EmailAddressService, call: ApiRequest, user_id: str) -> ApiResponse:
    found = await service.delete(_email_id(call.variables[1]), user_id)
    return responses.nothing(204) if found else responses.NOT_FOUND


async def _verify(service: EmailAddressService, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return responses.nothing(204) if await service.verify(call.variables[0]) else responses.NOT_FOUND


async def _renew(service: EmailAddressService, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return responses.nothing(204) if await service.renew(_email_id(call.variables[0])) else responses.NOT_FOUND


def _email_id(spelled: str) -> str:
    """Raises NoId."""
    email_id = canonical_uuid(spelled)
    if email_id is None:
        raise NoId("the id of the path is not a UUID")
    return email_id


def _shown(email: EmailAddress) -> dict[str, object]:
    return {"id": email.id, "email": email.address, "isVerified": email.is_verified}
