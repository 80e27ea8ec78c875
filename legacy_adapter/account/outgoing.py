"""What the adapter's writes need to ask for mail: the caller's connection is theirs, what becomes of it is not."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from extracted.account.domain import MailAsked


class Outgoing(Protocol):
    """Asks for mails in the transaction of what they tell of."""

    async def put(self, connection: AsyncConnection, mail: MailAsked) -> None:
        """Sent after the commit, never without it."""
        ...

    def wake(self) -> None:
        """After the commit."""
        ...
