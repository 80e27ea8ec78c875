"""Contract section 4.2: e-mails."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import OPEN, may, of_user
from examples.monolith.http.refusals import UncaughtFailure, conflict, not_found
from examples.monolith.http.wire import Answer, enveloped, nothing
from examples.monolith.outgoing.mails import verification
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Route
from examples.monolith.storage.postgres_values import condition_text, postgres_uuid
from examples.monolith.storage.tables import user_emails, users
from examples.monolith.users.accounts import USER_ROLE, add_email, add_role, refuse_taken, subject_of
from examples.monolith.users.users import check_user_id, find_user, wanted_user
from examples.monolith.validation.shapes import IS_EMAIL, Shape, required

NEW_EMAIL: Shape = {"email": required(IS_EMAIL)}


async def list_emails(call: Call) -> Answer:
    """Of a user that does not exist: none."""
    mine = select(user_emails).where(user_emails.c.user_id == wanted_user(call)).order_by(user_emails.c.created_at)
    async with call.monolith.database.read() as connection:
        found = [email_json(row) for row in await connection.execute(mine)]
    return enveloped(found, metadata={"count": len(found)})


async def create_email(call: Call) -> Answer:
    email, token = call.body["email"], str(uuid.uuid4())
    async with call.monolith.database.write() as connection:
        user = await find_user(connection, wanted_user(call))
        await refuse_taken(connection, user_emails, email=email)
        email_id = await add_email(connection, user.id, email, token)
    call.monolith.mailer.send(verification(call.monolith.settings.mail, email, user.username, token))
    return enveloped({"id": email_id, "email": email, "isVerified": False}, 201)


async def delete_email(call: Call) -> Answer:
    """By its own id alone, whosever it is (fault F9); then the answer is made of nothing, and fails (C1)."""
    async with call.monolith.database.write() as connection:
        email = await _find_email(connection, call.params["emailId"])
        await connection.execute(delete(user_emails).where(user_emails.c.id == email.id))
    raise UncaughtFailure("there is no e-mail left to answer with")


async def validate_email(call: Call) -> Answer:
    """A second call with the same token finds nothing: the token is gone."""
    by_token = user_emails.c.verification_token == condition_text(call.params["verificationToken"])
    async with call.monolith.database.write() as connection:
        email = (await connection.execute(select(user_emails).where(by_token))).first()
        if email is None:
            raise not_found()
        await _change_email(connection, email.id, is_verified=True, verification_token=None)
        await add_role(connection, await subject_of(connection, email.user_id), USER_ROLE)
    return nothing(204)


async def regenerate_token(call: Call) -> Answer:
    """Whoever asks (fault F10). An e-mail whose user is gone gets a token, but no mail."""
    token = str(uuid.uuid4())
    async with call.monolith.database.write() as connection:
        email = await _find_email(connection, call.params["emailId"])
        if email.is_verified:
            raise conflict("Email was already verified.")
        await _change_email(connection, email.id, verification_token=token)
        username = await connection.scalar(select(users.c.username).where(users.c.id == email.user_id))
    if username is not None:
        call.monolith.mailer.send(verification(call.monolith.settings.mail, email.email, username, token))
    return nothing(204)


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

ROUTES = (
    Route("GET", "/user/:userId/email", list_emails, READ, check=check_user_id),
    Route("POST", "/user/:userId/email", create_email, CREATE, body=NEW_EMAIL, check=check_user_id),
    Route("DELETE", "/user/:userId/email/:emailId", delete_email, DELETE),
    Route("POST", "/user/email/validate/:verificationToken", validate_email, OPEN),
    Route("POST", "/user/email/regenerate-token/:emailId", regenerate_token, OPEN),
)
