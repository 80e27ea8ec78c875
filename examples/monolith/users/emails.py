"""Contract section 4.2: e-mails."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import OPEN, may, of_user
from examples.monolith.http.errors import UncaughtFailure, conflict, not_found
from examples.monolith.http.wire import ResponseContent, data_response, empty_response
from examples.monolith.outgoing.mails import verification
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.storage.postgres_values import condition_text, postgres_uuid
from examples.monolith.storage.tables import user_emails, users
from examples.monolith.users.accounts import USER_ROLE, add_email, add_role, refuse_taken, subject_of
from examples.monolith.users.users import check_user_id, find_user, wanted_user
from examples.monolith.validation.shapes import IS_EMAIL, Shape, required

NEW_EMAIL: Shape = {"email": required(IS_EMAIL)}


async def list_emails(request: CheckedRequest) -> ResponseContent:
    """An unknown user has an empty list."""
    mine = select(user_emails).where(user_emails.c.user_id == wanted_user(request)).order_by(user_emails.c.created_at)
    async with request.monolith.database.read() as connection:
        found = [email_json(row) for row in await connection.execute(mine)]
    return data_response(found, metadata={"count": len(found)})


async def create_email(request: CheckedRequest) -> ResponseContent:
    email, token = request.body["email"], str(uuid.uuid4())
    async with request.monolith.database.write() as connection:
        user = await find_user(connection, wanted_user(request))
        await refuse_taken(connection, user_emails, email=email)
        email_id = await add_email(connection, user.id, email, token)
    request.monolith.mailer.send(verification(request.monolith.settings.mail, email, user.username, token))
    return data_response({"id": email_id, "email": email, "isVerified": False}, 201)


async def delete_email(request: CheckedRequest) -> ResponseContent:
    """Deletes by the e-mail's id, whoever owns it (fault F9). Then building the answer fails (C1)."""
    async with request.monolith.database.write() as connection:
        email = await _find_email(connection, request.params["emailId"])
        await connection.execute(delete(user_emails).where(user_emails.c.id == email.id))
    raise UncaughtFailure("the deleted e-mail cannot be shown")


async def validate_email(request: CheckedRequest) -> ResponseContent:
    """Removes the token: a second request with it is a 404."""
    by_token = user_emails.c.verification_token == condition_text(request.params["verificationToken"])
    async with request.monolith.database.write() as connection:
        email = (await connection.execute(select(user_emails).where(by_token))).first()
        if email is None:
            raise not_found()
        await _change_email(connection, email.id, is_verified=True, verification_token=None)
        await add_role(connection, await subject_of(connection, email.user_id), USER_ROLE)
    return empty_response(204)


async def regenerate_token(request: CheckedRequest) -> ResponseContent:
    """Serves any caller (fault F10). An e-mail without a user gets a token but no mail."""
    token = str(uuid.uuid4())
    async with request.monolith.database.write() as connection:
        email = await _find_email(connection, request.params["emailId"])
        if email.is_verified:
            raise conflict("Email was already verified.")
        await _change_email(connection, email.id, verification_token=token)
        username = await connection.scalar(select(users.c.username).where(users.c.id == email.user_id))
    if username is not None:
        request.monolith.mailer.send(verification(request.monolith.settings.mail, email.email, username, token))
    return empty_response(204)


async def _find_email(connection: AsyncConnection, email_id: str) -> Row[Any]:
    by_id = select(user_emails).where(user_emails.c.id == postgres_uuid(email_id))
    email = (await connection.execute(by_id)).first()
    if email is None:
        raise not_found()
    return email


async def _change_email(connection: AsyncConnection, email_id: str, **changes: Any) -> None:
    stamped = changes | {"updated_at": datetime.now(UTC)}
    await connection.execute(update(user_emails).where(user_emails.c.id == email_id).values(stamped))


def email_json(email: Row[Any]) -> dict[str, Any]:
    return {"id": email.id, "email": email.email, "isVerified": email.is_verified}


READ, CREATE, DELETE = (may(action, "user_email", of_user("user_id")) for action in ("read", "create", "delete"))

ENDPOINTS = (
    Endpoint("GET", "/user/:userId/email", list_emails, READ, check=check_user_id),
    Endpoint("POST", "/user/:userId/email", create_email, CREATE, body=NEW_EMAIL, check=check_user_id),
    Endpoint("DELETE", "/user/:userId/email/:emailId", delete_email, DELETE),
    Endpoint("POST", "/user/email/validate/:verificationToken", validate_email, OPEN),
    Endpoint("POST", "/user/email/regenerate-token/:emailId", regenerate_token, OPEN),
)
