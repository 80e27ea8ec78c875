"""Contract section 4.2: e-mails; so far the link of the verification mail."""

from datetime import UTC, datetime

from sqlalchemy import select, update

from examples.monolith.access import OPEN
from examples.monolith.accounts import USER_ROLE, add_role
from examples.monolith.database import postgres_text
from examples.monolith.refusals import not_found
from examples.monolith.routing import Call, Route
from examples.monolith.tables import auth_subjects, user_emails
from examples.monolith.wire import Answer, nothing


async def validate_email(call: Call) -> Answer:
    """A second call with the same token finds nothing: the token is gone."""
    async with call.monolith.database.write() as connection:
        by_token = user_emails.c.verification_token == postgres_text(call.params["verificationToken"])
        email = (await connection.execute(select(user_emails).where(by_token))).first()
        if email is None:
            raise not_found()
        await connection.execute(
            update(user_emails)
            .where(user_emails.c.id == email.id)
            .values(is_verified=True, verification_token=None, updated_at=datetime.now(UTC))
        )
        subject_id = await connection.scalar(
            select(auth_subjects.c.id).where(auth_subjects.c.internal_identifier == email.user_id)
        )
        if subject_id is None:
            raise not_found()
        await add_role(connection, subject_id, USER_ROLE)
    return nothing(204)


ROUTES = (Route("POST", "/user/email/validate/:verificationToken", validate_email, OPEN),)
