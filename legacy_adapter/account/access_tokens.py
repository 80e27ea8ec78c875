"""Account's identity port on the monolith's tables: its bcrypt hashes decide, and its access tokens are issued."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import bindparam, delete, insert

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from extracted.account.sign_in.domain import IssuedToken, Login
from legacy_adapter.rows import now
from legacy_adapter.tables import access_tokens

LIFETIME: Final = timedelta(days=3)
NOBODYS: Final = "$2b$10$" + "." * 53
"""A hash of 10 rounds that no password has."""
_COLUMNS: Final = (
    "id",
    "hashed_token",
    "token_expire_at",
    "type",
    "grant_with",
    "subject_id",
    "created_at",
    "updated_at",
)
_ADD: Final = PreparedStatement(insert(access_tokens), *_COLUMNS)
_REMOVE: Final = PreparedStatement(
    delete(access_tokens)
    .where(access_tokens.c.hashed_token == bindparam("digest", type_=access_tokens.c.hashed_token.type))
    .returning(access_tokens.c.id)
)

Matches = Callable[[str, str], Awaitable[bool]]
"""Password, hash → whether they belong together (passwords.py)."""


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What the monolith's tokens say about their origin, and the secret that signs them."""

    key: OctKey = field(repr=False)
    issuer: str
    audience: str

    def signed(self, subject_id: str, user_id: str, at: datetime) -> str:
        """HS256, with the claims in the monolith's order. Within one second they are the same."""
        issued_at = int(at.timestamp())
        claims = {
            "subject": subject_id,
            "subjectType": "user",
            "internalIdentifier": user_id,
            "type": "access_token",
            "iat": issued_at,
            "exp": issued_at + int(LIFETIME / timedelta(milliseconds=1)),  # milliseconds for seconds: fault F13
            "aud": self.audience,
            "iss": self.issuer,
        }
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, self.key)


class LegacyAccessTokens:
    """Implements the port TokenAuthority. `matches` verifies passwords."""

    def __init__(
        self, database: Database, form: TokenForm, matches: Matches, clock: Callable[[], datetime] = now
    ) -> None:
        self._database, self._form, self._matches, self._clock = database, form, matches, clock

    async def log_in(self, login: Login, secret: str) -> IssuedToken | None:
        """One bcrypt, one INSERT."""
        return await self.issue(login) if await self._matches(secret, login.secret) else None

    async def refuse(self, secret: str) -> None:
        """One bcrypt."""
        await self._matches(secret, NOBODYS)

    async def refresh(self, refresh_token: str) -> IssuedToken | None:
        """The monolith has no refresh tokens (fault F14), so none is known."""
        return None

    async def revoke(self, access_token: str) -> bool:
        """The monolith refuses a token without a row from its next request on."""
        return bool(await self._database.execute(_REMOVE, {"digest": _digest(access_token)}))

    async def issue(self, login: Login) -> IssuedToken:
        """A token and its row, as the monolith makes them. Two within a second: the same token, two rows."""
        at = self._clock()
        token, expires_at = self._form.signed(login.subject_id, login.user_id, at), at + LIFETIME
        row = token_row(str(uuid.uuid4()), token, login.subject_id, at, expires_at)
        await self._database.execute(_ADD, row)
        return IssuedToken(token, expires_at)


def token_form(secret: str, issuer: str, audience: str) -> TokenForm:
    """Of the monolith's settings."""
    return TokenForm(OctKey.import_key(secret), issuer, audience)


def token_row(row_id: str, token: str, subject_id: str, at: datetime, expires_at: datetime) -> dict[str, object]:
    """The row of a token, as the monolith writes it."""
    row: dict[str, object] = {
        "id": row_id,
        "hashed_token": _digest(token),
        "type": "access_token",
        "grant_with": "implicit",
    }
    times = {"token_expire_at": expires_at, "created_at": at, "updated_at": at}
    return row | times | {"subject_id": subject_id}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
