"""The use case of signing up, and what it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from extracted.account import mails
from extracted.account.domain import Compat, NewUser, Taken, User, Write
from extracted.account.users.emails import NewToken

Hash = Callable[[str], Awaitable[str]]
"""Password → what is kept of it."""


class Accounts(Protocol):
    """Where an account is made of many rows, all of them or none."""

    async def is_taken(self, username: str, address: str) -> bool:
        """As of now; `add` is what decides. Raises Refused."""
        ...

    async def add(self, new: NewUser, mail: Write) -> User:
        """With e-mail, settings, login and role; the mail is asked for beside. Raises Taken, LoginTaken, Refused."""
        ...


@dataclass(frozen=True, slots=True)
class SignUp:
    """Anybody may."""

    accounts: Accounts
    hash: Hash
    new_token: NewToken
    compat: Compat = Compat.STRICT

    async def sign_up(self, username: str, password: str, address: str) -> User:
        """Raises Taken, LoginTaken, Refused. A hash is slow by intention: none is made for what is taken as of now."""
        if await self.accounts.is_taken(username, address):
            raise Taken("a user of that name, or with that e-mail, is there")
        new = NewUser(username, address, await self.hash(password), self.new_token())
        return await self.accounts.add(new, mails.verification(new.token, self.compat))
