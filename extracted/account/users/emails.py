"""The use cases of e-mails: list, add, delete, verify, ask anew; and the store that they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from extracted.account import mails
from extracted.account.domain import Compat, Email, Write

NewToken = Callable[[], str]
"""A text that nobody can guess."""


class EmailStore(Protocol):
    """Where e-mails are kept. A mail is asked for in the transaction of the change. Ids in canonical form."""

    async def of_user(self, user_id: str) -> Sequence[Email]:
        """The oldest first; none also where there is no such user."""
        ...

    async def add(self, user_id: str, address: str, token: str, mail: Write) -> Email | None:
        """None: there is no such user. Raises Taken, Refused."""
        ...

    async def delete(self, email_id: str, user_id: str | None) -> bool:
        """Of that user alone; None: whosever it is. False: there is none."""
        ...

    async def verify(self, token: str) -> bool:
        """Once; its user is one of the verified from then on. False: nothing waits for that token."""
        ...

    async def renew(self, email_id: str, token: str, mail: Write) -> bool:
        """The token before it is dead; where the user is gone, there is no mail. False: no such e-mail.

        Raises AlreadyVerified.
        """
        ...


@dataclass(frozen=True, slots=True)
class Emails:
    """What users do with their addresses."""

    store: EmailStore
    new_token: NewToken
    compat: Compat = Compat.STRICT

    async def of_user(self, user_id: str) -> Sequence[Email]:
        """The oldest first."""
        return await self.store.of_user(user_id)

    async def add(self, user_id: str, address: str) -> Email | None:
        """Not verified yet. None: there is no such user. Raises Taken, Refused."""
        token = self.new_token()
        return await self.store.add(user_id, address, token, mails.verification(token, self.compat))

    async def delete(self, email_id: str, user_id: str | None = None) -> bool:
        """Of that user alone; None: whosever it is. False: there is none."""
        return await self.store.delete(email_id, user_id)

    async def verify(self, token: str) -> bool:
        """False: nothing waits for that token, or no longer."""
        return await self.store.verify(token)

    async def renew(self, email_id: str) -> bool:
        """Another mail with another token. False: there is no such e-mail. Raises AlreadyVerified."""
        token = self.new_token()
        return await self.store.renew(email_id, token, mails.verification(token, self.compat))
