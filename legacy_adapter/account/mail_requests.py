"""The port through which the adapter requests mail."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from extracted.account.mail_requests.domain import MailRequest


class MailRequests(Protocol):
    """Requests mail in the transaction of the change that the mail is about."""

    async def put(self, connection: AsyncConnection, mail: MailRequest) -> None:
        """The request is sent after the commit, never without it."""
        ...

    def wake(self) -> None:
        """Call it after the commit."""
        ...
