"""E-mails (contract §4.2)."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.account import domain
from extracted.account.api.refusals import Described, NoId
from extracted.account.domain import Compat, Email
from extracted.account.users.api.addresses import ADDRESS
from extracted.account.users.api.of_user import is_own, of_user
from extracted.account.users.emails import Emails
from extracted.wire import answers, validation
from extracted.wire.answers import ApiResponse, Listing
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Guarded
from extracted.wire.ids import canonical_uuid
from extracted.wire.validation import Shape, required

NEW: Shape = {"email": required(ADDRESS)}


def routes(emails: Emails) -> Iterator[Described]:
    """All five; who has a link, or the id of an e-mail, needs no credential (fault F10)."""
    yield "GET", "/user/{id}/email", _reads, of_user(partial(_list, emails))
    yield "POST", "/user/{id}/email", _changes, of_user(partial(_add, emails))
    yield "DELETE", "/user/{id}/email/{emailId}", _changes, _deleting(emails)
    yield "POST", "/user/email/validate/{token}", None, partial(_verify, emails)
    yield "POST", "/user/email/regenerate-token/{emailId}", None, partial(_renew, emails)


def _reads(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_settings(identity.roles, own=is_own(call, identity))


def _changes(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_user(identity.roles, own=is_own(call, identity))


async def _list(emails: Emails, _call: ApiRequest, user_id: str) -> ApiResponse:
    return answers.many([_shown(email) for email in await emails.of_user(user_id)], Listing())


async def _add(emails: Emails, call: ApiRequest, user_id: str) -> ApiResponse:
    refusal = validation.refusal(NEW, call.body)
    if refusal is not None:
        return refusal
    email = await emails.add(user_id, validation.texts(call.body)["email"] or "")
    return answers.NOT_FOUND if email is None else answers.one(_shown(email), 201)


def _deleting(emails: Emails) -> Guarded:
    """The monolith does not look at the user of the path (fault F9), and has no answer when it is done (C1)."""
    return partial(_delete_any, emails) if emails.compat is Compat.STRICT else of_user(partial(_delete, emails))


async def _delete_any(emails: Emails, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return answers.UNEXPECTED if await emails.delete(_email_id(call.variables[1])) else answers.NOT_FOUND


async def _delete(emails: Emails, call: ApiRequest, user_id: str) -> ApiResponse:
    found = await emails.delete(_email_id(call.variables[1]), user_id)
    return answers.nothing(204) if found else answers.NOT_FOUND


async def _verify(emails: Emails, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return answers.nothing(204) if await emails.verify(call.variables[0]) else answers.NOT_FOUND


async def _renew(emails: Emails, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return answers.nothing(204) if await emails.renew(_email_id(call.variables[0])) else answers.NOT_FOUND


def _email_id(spelled: str) -> str:
    """Raises NoId."""
    email_id = canonical_uuid(spelled)
    if email_id is None:
        raise NoId("the id of the path is no UUID")
    return email_id


def _shown(email: Email) -> dict[str, object]:
    return {"id": email.id, "email": email.address, "isVerified": email.is_verified}
