"""Sign-up (contract §4.1): anybody may sign up; the login works at once, with the rights of a guest."""

from collections.abc import Iterator
from functools import partial

from chassis.auth.claims import Identity
from extracted.account.api.refusals import Described
from extracted.account.users.api.email_syntax import ADDRESS
from extracted.account.users.api.users import shown
from extracted.account.users.service import SignUp
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import STRING, Shape, length, required

NEW: Shape = {
    "username": required(STRING, *length(3, 20)),
    "password": required(STRING, *length(8, 255)),
    "email": required(ADDRESS),
}


def routes(sign_up: SignUp) -> Iterator[Described]:
    """Its only route."""
    yield "POST", "/user", None, partial(_sign_up, sign_up)


async def _sign_up(sign_up: SignUp, call: ApiRequest, _identity: Identity) -> ApiResponse:
    refusal = validation.refusal(NEW, call.body)
    if refusal is not None:
        return refusal
    sent = {name: text or "" for name, text in validation.texts(call.body).items()}
    user = await sign_up.sign_up(sent["username"], sent["password"], sent["email"])
    return responses.one(shown(user), 201)
