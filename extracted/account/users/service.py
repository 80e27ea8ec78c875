"""The use cases of users: settings, e-mail addresses, sign-up."""

from collections.abc import Sequence
from dataclasses import dataclass

from extracted.account.domain import AlreadyThere, Compat
from extracted.account.mail_requests.domain import verification
from extracted.account.users.domain import DEFAULT_SETTINGS, EmailAddress, NewUser, User, UserSettings
from extracted.account.users.ports import (
    EmailAddressStore,
    HashPassword,
    NewToken,
    SignUpStore,
    UserSettingsStore,
    UserStore,
)


@dataclass(frozen=True, slots=True)
class UserService:
    """Users and their settings."""

    users: UserStore
    settings: UserSettingsStore
    compat: Compat

    async def reset_settings(self, user_id: str) -> UserSettings | None:
        """Sets the defaults. The monolith looks for the settings under a wrong id and never finds any (fault F16)."""
        if self.compat is Compat.STRICT:
            return None
        return await self.settings.change(user_id, DEFAULT_SETTINGS)


@dataclass(frozen=True, slots=True)
class EmailAddressService:
    """What users do with their e-mail addresses."""

    store: EmailAddressStore
    new_token: NewToken
    compat: Compat

    async def of_user(self, user_id: str) -> Sequence[EmailAddress]:
        """The oldest first."""
        return await self.store.of_user(user_id)

    async def add(self, user_id: str, address: str) -> EmailAddress | None:
        """Adds an address that is not verified yet. None: no such user. Raises AlreadyThere, ValueRefused."""
        token = self.new_token()
        return await self.store.add(user_id, address, token, verification(token, self.compat))

    async def delete(self, email_id: str, user_id: str | None = None) -> bool:
        """Deletes an address of that user, or of any user if `user_id` is None. False: there is none."""
        return await self.store.delete(email_id, user_id)

    async def verify(self, token: str) -> bool:
        """False: no address has that token, or no longer."""
        return await self.store.verify(token)

    async def renew(self, email_id: str) -> bool:
        """Sends another mail with another token. False: no such address. Raises AlreadyVerified."""
        token = self.new_token()
        return await self.store.renew(email_id, token, verification(token, self.compat))


@dataclass(frozen=True, slots=True)
class SignUp:
    """Anybody may sign up."""

    store: SignUpStore
    hash_password: HashPassword
    new_token: NewToken
    compat: Compat

    async def sign_up(self, username: str, password: str, address: str) -> User:
        """Checks names first: hashing is slow by design, so a name that is taken costs no hash.

        Raises AlreadyThere, LoginTaken, ValueRefused.
        """
        if await self.store.is_taken(username, address):
            raise AlreadyThere("another user has the name or the e-mail address")
        new = NewUser(username, address, await self.hash_password(password), self.new_token())
        return await self.store.add(new, verification(new.token, self.compat))
