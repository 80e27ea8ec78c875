"""Account's port for sign-up on the monolith's tables: all rows that the monolith writes, in one transaction."""

import uuid
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import exists, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.domain import AlreadyThere
from extracted.account.mail_requests.domain import Addressee, ComposeMail
from extracted.account.users.domain import LoginTaken, NewUser, User
from legacy_adapter.account.email_addresses import add_email
from legacy_adapter.account.mail_requests import MailRequests
from legacy_adapter.account.roles import GUEST_ROLE, give_role
from legacy_adapter.rows import inserted, now, refuse_nul
from legacy_adapter.tables import credentials, subjects, user_emails, user_settings, users

LANGUAGE = "en"


class LegacySignUp:
    """Implements the port SignUpStore."""

    def __init__(self, database: Database, mail_requests: MailRequests, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._mail_requests = mail_requests
        self._clock = clock

    async def is_taken(self, username: str, address: str) -> bool:
        """One statement."""
        refuse_nul({"username": username})
        named, mailed = exists().where(users.c.username == username), exists().where(user_emails.c.email == address)
        async with self._database.look() as connection:
            return bool(await connection.scalar(select(or_(named, mailed))))

    async def add(self, new: NewUser, mail: ComposeMail) -> User:
        """The unique constraints decide which of several is first. The others wait for it and write nothing."""
        async with self._database.write() as connection:
            user = await self._add(connection, new)
            await self._mail_requests.put(connection, mail(Addressee(new.username, new.address, LANGUAGE)))
        self._mail_requests.wake()
        return user

    async def _add(self, connection: AsyncConnection, new: NewUser) -> User:
        at = self._clock()
        user = User(_id(), new.username, None, 0)
        row = {"id": user.id, "username": user.username, "description": user.description, "points": user.points}
        if not await inserted(connection, users, row, at, unless="username"):
            raise AlreadyThere("another user has the name")
        await add_email(connection, user.id, new.address, new.token, at)
        await _add_settings(connection, user.id, at)
        await give_role(connection, await _add_login(connection, user.id, new, at), GUEST_ROLE, at)
        return user


async def _add_settings(connection: AsyncConnection, user_id: str, at: datetime) -> None:
    languages = {"editing_language": "javascript", "language": LANGUAGE}
    row = {"id": _id(), "user_id": user_id, "created_at": at, "updated_at": at} | languages
    await connection.execute(insert(user_settings).values(row))


async def _add_login(connection: AsyncConnection, user_id: str, new: NewUser, at: datetime) -> str:
    """Returns the id of the subject. Raises LoginTaken."""
    subject_id = _id()
    subject = {"id": subject_id, "internal_identifier": user_id, "type": "user", "created_at": at, "updated_at": at}
    await connection.execute(insert(subjects).values(subject))
    kept = {"type": "email_with_password", "identity": new.address, "secret": new.secret, "subject_id": subject_id}
    if not await inserted(connection, credentials, {"id": _id()} | kept, at, unless="identity"):
        raise LoginTaken("somebody logs in with the e-mail")
    return subject_id


def _id() -> str:
    return str(uuid.uuid4())
