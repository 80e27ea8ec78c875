"""Reads the live row of an access token and the current roles of its subject."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import bindparam, select

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from legacy_adapter.tables import access_tokens, roles, subject_roles, subjects


@dataclass(frozen=True, slots=True)
class LiveToken:
    """`expires_at`: of the row that expires last, in Unix seconds."""

    roles: tuple[str, ...]
    expires_at: float


async def find(database: Database, token_digest: str, user_id: str, now: float) -> LiveToken | None:
    """By the token's SHA-256 in hex, among this user's rows. None: no row is live. Raises StoreUnavailable."""
    asked = {"digest": token_digest, "user_id": user_id, "now": datetime.fromtimestamp(now, UTC)}
    rows = await database.execute(_LIVE, asked, writes=False)
    if not rows:
        return None
    expires_at = max(row.expires_at for row in rows)
    names = dict.fromkeys(row.role for row in rows if row.role is not None)
    return LiveToken(tuple(names), expires_at.replace(tzinfo=expires_at.tzinfo or UTC).timestamp())


_LIVE: Final = PreparedStatement(
    select(access_tokens.c.token_expire_at.label("expires_at"), roles.c.name.label("role"))
    .join(subjects, subjects.c.id == access_tokens.c.subject_id)
    .outerjoin(subject_roles, subject_roles.c.subject_id == subjects.c.id)
    .outerjoin(roles, roles.c.id == subject_roles.c.role_id)
    .where(access_tokens.c.hashed_token == bindparam("digest"), access_tokens.c.token_expire_at >= bindparam("now"))
    .where(subjects.c.internal_identifier == bindparam("user_id"))
    .order_by(roles.c.name)
)
"""One row per role and live token; two logins within a second share a token. A deleted user's subject still exists."""
