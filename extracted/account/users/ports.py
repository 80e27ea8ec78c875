"""What the use cases of users need from outside. Ids are in canonical form; stores raise StoreUnavailable."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from extracted.account.domain import Changes, ListPage, PageQuery
from extracted.account.mail_requests.domain import ComposeMail
from extracted.account.users.domain import EmailAddress, NewUser, RankedUser, User, UserSettings

NewToken = Callable[[], str]
"""Makes a text that nobody can guess."""
HashPassword = Callable[[str], Awaitable[str]]
"""Password → what is stored of it."""


class UserStore(Protocol):
    """Where users are stored."""

    async def find(self, user_id: str) -> RankedUser | None:
        """With the current rank."""
        ...

    async def select(self, query: PageQuery) -> ListPage[User]:
        """By `username` and `points`; if the query names no order, in the store's own."""
        ...

    async def change(self, user_id: str, changes: Changes) -> User | None:
        """Changes `username` and `description` at once or not at all. None: no such user.

        Raises NameTaken, ValueRefused.
        """
        ...

    async def delete(self, user_id: str) -> bool:
        """Deletes memberships and purchases, too. False: no such user."""
        ...

    async def teams(self, user_id: str) -> Sequence[str] | None:
        """The ids of the user's teams. None: no such user."""
        ...


class UserSettingsStore(Protocol):
    """Where settings are stored: one record per user."""

    async def find(self, user_id: str) -> UserSettings | None:
        """None: no such user, or the user was deleted."""
        ...

    async def change(self, user_id: str, changes: Changes) -> UserSettings | None:
        """Changes `editing_language` and `language`. Raises ValueRefused."""
        ...


class RoleStore(Protocol):
    """Where the roles of users are stored."""

    async def of_user(self, user_id: str) -> tuple[str, ...]:
        """The current roles; none if there is no such user."""
        ...


class EmailAddressStore(Protocol):
    """Where e-mail addresses are stored. Mail is requested in the transaction of the change."""

    async def of_user(self, user_id: str) -> Sequence[EmailAddress]:
        """The oldest first; none if there is no such user."""
        ...

    async def add(self, user_id: str, address: str, token: str, mail: ComposeMail) -> EmailAddress | None:
        """None: no such user. Raises AlreadyThere, ValueRefused."""
        ...

    async def delete(self, email_id: str, user_id: str | None) -> bool:
        """Deletes an address of that user, or of any user if `user_id` is None. False: there is none."""
        ...

    async def verify(self, token: str) -> bool:
        """Works once per token; from then on the user is a verified user. False: no address has that token."""
        ...

    async def renew(self, email_id: str, token: str, mail: ComposeMail) -> bool:
        """Replaces the token; if the user is deleted, no mail is requested. False: no such address.

        Raises AlreadyVerified.
        """
        ...


class SignUpStore(Protocol):
    """Where a new user is stored: many rows, all of them or none."""

    async def is_taken(self, username: str, address: str) -> bool:
        """At this moment; only `add` decides. Raises ValueRefused."""
        ...

    async def add(self, new: NewUser, mail: ComposeMail) -> User:
        """Adds address, settings, login and role, too, and requests the mail.

        Raises AlreadyThere, LoginTaken, ValueRefused.
        """
        ...
