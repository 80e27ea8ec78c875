"""Access tokens: HS256 JWTs, valid only while `auth_oauth2_token` has a live row for them."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.settings import Settings
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.tables import auth_oauth2_tokens, auth_subjects

LIFETIME = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Subject:
    """A row of `auth_subject`: its id, and the id of its user."""

    id: str
    user_id: str


class Tokens:
    """Makes and finds tokens."""

    def __init__(self, settings: Settings) -> None:
        self._key = OctKey.import_key(settings.secret)
        self._issuer = settings.issuer
        self._audience = settings.audience

    async def issue(self, connection: AsyncConnection, subject: Subject) -> tuple[str, datetime]:
        """A token and when its row expires. Two calls within a second make the same token, in two rows."""
        now = datetime.now(UTC)
        token, expires_at = self._signed(subject, now), now + LIFETIME
        await insert_row(
            connection,
            auth_oauth2_tokens,
            hashed_token=digest(token),
            token_expire_at=expires_at,
            type="access_token",
            grant_with="implicit",
            subject_id=subject.id,
        )
        return token, expires_at

    async def find(self, connection: AsyncConnection, token: str) -> Subject | None:
        """Whose token it is; None when signature, issuer, audience or row is invalid."""
        if not self._is_valid(token):
            return None
        row = await connection.execute(
            select(auth_subjects.c.id, auth_subjects.c.internal_identifier)
            .join(auth_oauth2_tokens, auth_oauth2_tokens.c.subject_id == auth_subjects.c.id)
            .where(auth_oauth2_tokens.c.hashed_token == digest(token))
            .where(auth_oauth2_tokens.c.token_expire_at >= datetime.now(UTC))
        )
        found = row.first()
        return Subject(*found) if found else None

    def _signed(self, subject: Subject, now: datetime) -> str:
        issued_at = int(now.timestamp())
        claims = {
            "subject": subject.id,
            "subjectType": "user",
            "internalIdentifier": subject.user_id,
            "type": "access_token",
            "iat": issued_at,
            "exp": issued_at + int(LIFETIME / timedelta(milliseconds=1)),  # milliseconds for seconds: fault F13
            "aud": self._audience,
            "iss": self._issuer,
        }
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, self._key)

    def _is_valid(self, token: str) -> bool:
        rules = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self._issuer}, aud={"essential": True, "value": self._audience}
        )
        try:
            rules.validate(jwt.decode(token, self._key, algorithms=["HS256"]).claims)
        except (JoseError, ValueError):
            return False
        return True


def digest(token: str) -> str:
    """What a token's row holds: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()
