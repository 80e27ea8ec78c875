"""Who may act with an access token: its live row, and the roles of its subject, as the tables say now."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, func, select

from chassis.database import Database
from legacy_adapter.tables import access_tokens, roles, subject_roles, subjects


@dataclass(frozen=True, slots=True)
class Caller:
    """`expires_at`: of the row that lives longest, in Unix seconds."""

    roles: tuple[str, ...]
    expires_at: float


async def find(database: Database, token_digest: str, user_id: str, now: float) -> Caller | None:
    """By SHA-256 in hex, among rows of this user; None where none is live. Raises StoreUnavailable."""
    async with database.read() as connection:
        live = (await connection.execute(_live_rows(token_digest, user_id, datetime.fromtimestamp(now, UTC)))).first()
        if live is None:
            return None
        subject_id, expires_at = live
        names = await connection.scalars(_role_names(subject_id))
        return Caller(tuple(names), expires_at.replace(tzinfo=expires_at.tzinfo or UTC).timestamp())


def _live_rows(token_digest: str, user_id: str, now: datetime) -> Select[str, datetime]:
    """Two logins within a second share a token, so there may be two rows. A deleted user's subject is still there."""
    row = access_tokens.c
    return (
        select(subjects.c.id, func.max(row.token_expire_at))
        .join(access_tokens, row.subject_id == subjects.c.id)
        .where(row.hashed_token == token_digest, row.token_expire_at >= now)
        .where(subjects.c.internal_identifier == user_id)
        .group_by(subjects.c.id)
    )


def _role_names(subject_id: str) -> Select[str]:
    given = subject_roles.c
    return (
        select(roles.c.name)
        .join(subject_roles, given.role_id == roles.c.id)
        .where(given.subject_id == subject_id)
        .order_by(roles.c.name)
    )
