"""Contract section 3: tokens."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import OPEN
from examples.monolith.auth.passwords import matches
from examples.monolith.auth.tokens import Subject
from examples.monolith.http.refusals import bad_request, unauthorized
from examples.monolith.http.wire import Answer, enveloped
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Route
from examples.monolith.storage.postgres_values import condition_text
from examples.monolith.storage.tables import auth_subject_credentials, auth_subjects
from examples.monolith.validation.shapes import IS_STRING, IS_UUID_V4, Property, one_of, required

GRANTS = ("implicit", "authorization_code", "client_credentials", "refresh_token", "password")


def _of_a_person(body: Mapping[str, Any]) -> bool:
    return body.get("grantType") in ("implicit", "password")


def _of_a_client(body: Mapping[str, Any]) -> bool:
    return body.get("grantType") != "implicit"


TOKEN_REQUEST = {
    "grantType": required(one_of(*GRANTS)),
    "identity": Property((IS_STRING,), when=_of_a_person),
    "secret": Property((IS_STRING,), when=_of_a_person),
    "clientId": Property((IS_UUID_V4,), when=_of_a_client),
    "clientSecret": Property((IS_STRING,), when=_of_a_client),
}


async def create_token(call: Call) -> Answer:
    if call.body["grantType"] != "implicit":
        raise bad_request("Invalid grantType: grantType is not supported")
    async with call.monolith.database.read() as connection:
        subject = await _subject(connection, call.body["identity"], call.body["secret"])
    async with call.monolith.database.write() as connection:
        token, expires_at = await call.monolith.tokens.issue(connection, subject)
    return enveloped({"accessToken": token, "tokenType": "Bearer", "expiresAt": iso(expires_at)}, 201)


async def _subject(connection: AsyncConnection, identity: str, secret: str) -> Subject:
    """The two refusals differ: they tell an unknown identity from a wrong secret."""
    result = await connection.execute(
        select(auth_subjects.c.id, auth_subjects.c.internal_identifier, auth_subject_credentials.c.secret)
        .join(auth_subjects, auth_subjects.c.id == auth_subject_credentials.c.subject_id)
        .where(auth_subject_credentials.c.identity == condition_text(identity))
    )
    row = result.first()
    if row is None:
        raise unauthorized("Invalid subject: subject not found")
    if not await matches(secret, row.secret):
        raise unauthorized("Invalid subject: secret is invalid")
    return Subject(row.id, row.internal_identifier)


def iso(moment: datetime) -> str:
    """As JavaScript's toISOString: milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


ROUTES = (Route("POST", "/auth/token", create_token, OPEN, body=TOKEN_REQUEST),)
