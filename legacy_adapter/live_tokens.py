"""Reads the live rows of access tokens and the current roles of their subjects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, select

from chassis.batcher import Batcher, GatherPace
from chassis.database.database import Database
from chassis.database.prepared import PreparedRows, PreparedStatement
from chassis.ttl_cache import TtlCache
from legacy_adapter.tables import access_tokens, roles, subject_roles, subjects

PACE: Final = GatherPace(least_s=0.002, most_s=0.03, calls=3)
"""How long a token waits for others under load."""


@dataclass(frozen=True, slots=True)
class LiveToken:
    """`expires_at`: of the row that expires last, in Unix seconds."""

    roles: tuple[str, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """`digest`: the token's SHA-256 in hex. `now`: in Unix seconds. Only rows of this user count."""

    digest: str
    user_id: str
    now: float

    @property
    def parameters(self) -> dict[str, object]:
        """Those of both statements."""
        return {"digest": self.digest, "user_id": self.user_id, "now": datetime.fromtimestamp(self.now, UTC)}


class LiveTokens:
    """Remembers the ids of the rows of up to `size` tokens.

    The monolith's table has an index on its ids alone, so to find a token it is read as a whole. Later the rows with
    these ids are read, for several tokens at once; if none of them is live any more, the table is read again.
    """

    def __init__(self, database: Database, size: int) -> None:
        self._database = database
        self._row_ids: TtlCache[str, frozenset[str]] = TtlCache(size)
        self._known = Batcher(self._by_row_ids, pace=PACE)

    async def find(self, asked: TokenQuestion) -> LiveToken | None:
        """None: no row is live. Raises StoreUnavailable."""
        if self._row_ids.get(asked.digest, asked.now):
            found = await self._known.answer(asked)
            if found is not None:
                return found
        rows = await self._database.execute(_OF_DIGEST, asked.parameters, writes=False)
        token = _token(rows)
        if token is not None:
            self._row_ids.put(asked.digest, frozenset(row.row_id for row in rows), token.expires_at)
        return token

    async def _by_row_ids(self, asked: Sequence[TokenQuestion]) -> Sequence[LiveToken | None]:
        ids = {one.digest: self._row_ids.get(one.digest, one.now) or () for one in asked}
        given = [{"row_id": row_id, **one.parameters} for one in asked for row_id in ids[one.digest]]
        async with self._database.prepared_look() as connection:
            rows = await _OF_ROWS.on(connection, given)
        return [_token([row for row in rows if row.digest == one.digest]) for one in asked]


def _token(rows: Sequence[Any]) -> LiveToken | None:
    """Of the rows of one token: one for each role and live row; two logins within a second share a token."""
    if not rows:
        return None
    expires_at = max(row.expires_at for row in rows)
    names = {row.role for row in rows if row.role is not None}
    return LiveToken(tuple(sorted(names)), expires_at.replace(tzinfo=expires_at.tzinfo or UTC).timestamp())


def _live(digest: ColumnElement[Any], user_id: ColumnElement[Any], now: ColumnElement[Any]) -> Select[Any]:
    """A deleted user's subject still exists."""
    token = access_tokens.c
    columns = token.id.label("row_id"), token.hashed_token.label("digest"), token.token_expire_at.label("expires_at")
    return (
        select(*columns, roles.c.name.label("role"))
        .join(subjects, subjects.c.id == token.subject_id)
        .outerjoin(subject_roles, subject_roles.c.subject_id == subjects.c.id)
        .outerjoin(roles, roles.c.id == subject_roles.c.role_id)
        .where(token.hashed_token == digest, token.token_expire_at >= now)
        .where(subjects.c.internal_identifier == user_id)
    )


def _of_row(given: FromClause) -> Select[Any]:
    return _live(given.c.digest, given.c.user_id, given.c.now).where(access_tokens.c.id == given.c.row_id)


_OF_DIGEST: Final = PreparedStatement(_live(bindparam("digest"), bindparam("user_id"), bindparam("now")))
_TYPES: Final = {
    "row_id": access_tokens.c.id.type,
    "digest": access_tokens.c.hashed_token.type,
    "user_id": subjects.c.internal_identifier.type,
    "now": access_tokens.c.token_expire_at.type,
}
_OF_ROWS: Final = PreparedRows(_TYPES, _of_row, is_lookup=True)
