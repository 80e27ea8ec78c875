"""Contract section 3: tokens."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import OPEN
from examples.monolith.auth.passwords import matches
from examples.monolith.auth.tokens import Subject
from examples.monolith.http.errors import bad_request, unauthorized
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.routing import CheckedRequest, Endpoint
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


async def create_token(request: CheckedRequest) -> ResponseContent:
    if request.body["grantType"] != "implicit":
        raise bad_request("Invalid grantType: grantType is not supported")
    async with request.monolith.database.read() as connection:
        subject = await _subject(connection, request.body["identity"], request.body["secret"])
    async with request.monolith.database.write() as connection:
        token, expires_at = await request.monolith.tokens.issue(connection, subject)
    return data_response({"accessToken": token, "tokenType": "Bearer", "expiresAt": iso(expires_at)}, 201)


async def _subject(connection: AsyncConnection, identity: str, secret: str) -> Subject:
    """Raises HttpError; the messages tell an unknown identity from a wrong secret."""
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
    """As JavaScript's toISOString: milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


ENDPOINTS = (Endpoint("POST", "/auth/token", create_token, OPEN, body=TOKEN_REQUEST),)
