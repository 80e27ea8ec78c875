"""POST /auth/token (contract §3.3), and POST /auth/logout, which the monolith does not have (contract §1)."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import structlog

from chassis.auth.claims import CLIENT_ADDRESS, CLIENT_CREDENTIAL, Identity, IdentityUnavailable
from chassis.service.web import passed_on
from extracted.account.api.refusals import Described
from extracted.account.domain import Compat
from extracted.account.sign_in.domain import IssuedToken, LoginRefusal
from extracted.account.sign_in.service import SignIn
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.guard import anybody
from extracted.wire.jsontext import iso
from extracted.wire.responses import ApiResponse, error
from extracted.wire.validation import ANYTHING, STRING, UUID_V4, Property, Shape, one_of, required

log = structlog.get_logger("account.sign_in")

GRANTS: Final = ("implicit", "authorization_code", "client_credentials", "refresh_token", "password")
IMPLICIT: Final = "implicit"
REFRESH: Final = "refresh_token"
OF_A_PERSON: Final = (IMPLICIT, "password")
REFRESHING: Final[Shape] = {"grantType": required(one_of((REFRESH,))), "refreshToken": required(STRING)}
WRONG_REFRESH_TOKEN: Final = error(401, "Invalid refresh token", "Unauthorized")
NOT_SUPPORTED: Final = error(400, "Invalid grantType: grantType is not supported", "Bad Request")


def routes(sign_in: SignIn) -> Iterator[Described]:
    """Log-in and log-out. Nobody is refused for the credential; the gateway says from where the client calls."""
    yield "POST", "/auth/token", anybody, partial(_token, sign_in)
    yield "POST", "/auth/logout", anybody, partial(_log_out, sign_in)


async def _log_out(sign_in: SignIn, call: ApiRequest, identity: Identity) -> ApiResponse:
    """Strict: the monolith's 404. Improved: 204, also for a token that is over: a 403 would make the client refresh."""
    if sign_in.compat is Compat.STRICT:
        return responses.no_route("POST", call.target)
    parts = (passed_on(CLIENT_CREDENTIAL, call.fields, identity) or "").split(" ")
    if len(parts) != 2 or not all(parts):
        return responses.UNAUTHORIZED
    try:
        await sign_in.log_out(parts[1])
    except IdentityUnavailable as error:
        log.warning("identity_unavailable", reason=str(error))
        return responses.UNAVAILABLE
    return responses.nothing(204)


async def _token(sign_in: SignIn, call: ApiRequest, identity: Identity) -> ApiResponse:
    if sign_in.compat is Compat.IMPROVED and _refreshes(call.body):
        return await _refreshed(sign_in, call)
    grant = call.body.get("grantType") if isinstance(call.body, dict) else None
    refusal = validation.refusal(_shape(grant), call.body)
    if refusal is not None:
        return refusal
    if grant != IMPLICIT:
        return NOT_SUPPORTED
    sent = {name: text or "" for name, text in validation.texts(call.body).items()}
    address = passed_on(CLIENT_ADDRESS, call.fields, identity)
    result = await sign_in.log_in(sent["identity"], sent["secret"], address)
    return shown(result) if isinstance(result, IssuedToken) else _refused(result)


def _refreshes(body: object) -> bool:
    """As the web client asks, once it has a refresh token (flows §4). Any other body is the monolith's affair."""
    return isinstance(body, dict) and body.get("grantType") == REFRESH and "refreshToken" in body


async def _refreshed(sign_in: SignIn, call: ApiRequest) -> ApiResponse:
    refusal = validation.refusal(REFRESHING, call.body)
    if refusal is not None:
        return refusal
    try:
        issued = await sign_in.refresh(validation.texts(call.body)["refreshToken"] or "")
    except IdentityUnavailable as error:
        log.warning("identity_unavailable", reason=str(error))
        return responses.UNAVAILABLE
    return WRONG_REFRESH_TOKEN if issued is None else shown(issued)


def _shape(grant: object) -> Shape:
    """A person's grants need identity and secret, all but `implicit` (an unknown one, too) need a client."""
    return {
        "grantType": required(one_of(GRANTS)),
        "identity": _text(grant in OF_A_PERSON),
        "secret": _text(grant in OF_A_PERSON),
        "clientId": required(UUID_V4) if grant != IMPLICIT else ANYTHING,
        "clientSecret": _text(grant != IMPLICIT),
    }


def _text(is_needed: bool) -> Property:
    return required(STRING) if is_needed else ANYTHING


def shown(token: IssuedToken) -> ApiResponse:
    """201 with the token as the web client keeps it."""
    data: dict[str, object] = {"accessToken": token.access_token, "tokenType": "Bearer"}
    data["expiresAt"] = iso(token.expires_at)
    return responses.one(data | _refreshing(token), 201)


def _refreshing(token: IssuedToken) -> dict[str, object]:
    return {} if token.refresh_token is None else {"refreshToken": token.refresh_token}


def _refused(refusal: LoginRefusal) -> ApiResponse:
    return error(401, f"Invalid subject: {refusal}", "Unauthorized")
