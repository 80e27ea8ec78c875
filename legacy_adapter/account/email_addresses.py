"""Account's port for e-mail addresses on the monolith's tables. The writing statements decide races."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.domain import AlreadyThere, ValueRefused
from extracted.account.mail_requests.domain import Addressee, ComposeMail
from extracted.account.users.domain import MOST_ADDRESS_CHARACTERS, AlreadyVerified, EmailAddress
from legacy_adapter.account.mail_requests import MailRequests
from legacy_adapter.account.roles import USER_ROLE, give_role
from legacy_adapter.pages import in_condition
from legacy_adapter.rows import inserted, now
from legacy_adapter.tables import subjects, user_emails, user_settings, users


class _NobodyToVerify(Exception):
    """The user is deleted, so the token stays."""


class LegacyEmailAddresses:
    """Implements the port EmailAddressStore."""

    def __init__(self, database: Database, mail_requests: MailRequests, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._mail_requests = mail_requests
        self._clock = clock

    async def of_user(self, user_id: str) -> Sequence[EmailAddress]:
        """The oldest first: clients use the first as the main address."""
        mine = select(user_emails).where(user_emails.c.user_id == user_id).order_by(user_emails.c.created_at)
        async with self._database.read() as connection:
            return [_email(row) for row in await connection.execute(mine)]

    async def add(self, user_id: str, address: str, token: str, mail: ComposeMail) -> EmailAddress | None:
        """Locks the user's row until the commit, so that the user is not deleted meanwhile."""
        async with self._database.write() as connection:
            to = await _user(connection, user_id, address)
            if to is None:
                return None
            email_id = await add_email(connection, user_id, address, token, self._clock())
            await self._mail_requests.put(connection, mail(to))
        self._mail_requests.wake()
        return EmailAddress(email_id, address, is_verified=False)

    async def delete(self, email_id: str, user_id: str | None) -> bool:
        """One statement."""
        its = user_emails.c.id == email_id
        where = its if user_id is None else its & (user_emails.c.user_id == user_id)
        async with self._database.write() as connection:
            return (await connection.execute(delete(user_emails).where(where))).rowcount > 0

    async def verify(self, token: str) -> bool:
        """Of two calls at once, one finds the token. A token of a deleted user stays."""
        try:
            async with self._database.write() as connection:
                return await self._verified(connection, token)
        except _NobodyToVerify:
            return False

    async def _verified(self, connection: AsyncConnection, token: str) -> bool:
        values = {"is_verified": True, "verification_token": None, "updated_at": self._clock()}
        waiting = update(user_emails).where(user_emails.c.verification_token == in_condition(token))
        row = (await connection.execute(waiting.values(values).returning(user_emails.c.user_id))).first()
        if row is None:
            return False
        of_user = subjects.c.internal_identifier == row.user_id
        subject_id = await connection.scalar(select(subjects.c.id).where(of_user))
        if subject_id is None:
            raise _NobodyToVerify
        await give_role(connection, subject_id, USER_ROLE, self._clock())
        return True

    async def renew(self, email_id: str, token: str, mail: ComposeMail) -> bool:
        """A verification at the same time wins, or its token is replaced first."""
        async with self._database.write() as connection:
            row = await self._renewed(connection, email_id, token)
            if row is None:
                return await _refuse_verified(connection, email_id)
            to = None if row.user_id is None else await _user(connection, row.user_id, row.email)
            if to is not None:
                await self._mail_requests.put(connection, mail(to))
        self._mail_requests.wake()
        return True

    async def _renewed(self, connection: AsyncConnection, email_id: str, token: str) -> Row[Any] | None:
        where = user_emails.c.id == email_id, user_emails.c.is_verified.is_(False)
        values = {"verification_token": token, "updated_at": self._clock()}
        statement = update(user_emails).where(*where).values(values).returning(user_emails)
        row: Row[Any] | None = (await connection.execute(statement)).first()
        return row


async def add_email(connection: AsyncConnection, user_id: str, address: str, token: str, at: datetime) -> str:
    """Adds an unverified address; returns its id. Raises AlreadyThere, ValueRefused."""
    if len(address) > MOST_ADDRESS_CHARACTERS:
        raise ValueRefused(f"the column has {MOST_ADDRESS_CHARACTERS} characters")
    row = {"id": str(uuid.uuid4()), "email": address, "user_id": user_id, "verification_token": token}
    if not await inserted(connection, user_emails, row | {"is_verified": False}, at, unless="email"):
        raise AlreadyThere("a user has the e-mail address")
    return row["id"]


async def _user(connection: AsyncConnection, user_id: str, address: str) -> Addressee | None:
    """Locks the user's row against deletion, not against changes."""
    statement = (
        select(users.c.username, user_settings.c.language)
        .select_from(users.outerjoin(user_settings, user_settings.c.user_id == users.c.id))
        .where(users.c.id == user_id)
        .with_for_update(read=True, key_share=True, of=users)
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else Addressee(row.username, address, row.language)


async def _refuse_verified(connection: AsyncConnection, email_id: str) -> bool:
    """False: there is no such address. Raises AlreadyVerified."""
    if await connection.scalar(select(exists().where(user_emails.c.id == email_id))):
        raise AlreadyVerified("the e-mail is verified")
    return False


def _email(row: Row[Any]) -> EmailAddress:
    return EmailAddress(row.id, row.email, row.is_verified)
