"""The levels of failed log-ins in Account's own table. Rows whose level has drained go."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Float, Row, Table, Text, bindparam, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from chassis.database.own_tables import Instant, OwnTables
from extracted.account.attempts.domain import AttemptLevel, AttemptRules, AttemptScope
from extracted.account.attempts.ports import Keys, Levels

CLEANED_EVERY: Final = timedelta(seconds=10)
CLEANED_AT_ONCE: Final = 5_000
_NOT_FLUSHED: Final = text("SET LOCAL synchronous_commit TO off")
"""A log-in does not wait for the disk: a crash of PostgreSQL may forget the counts of its last moments, no more."""
_COLUMNS: Final = ("level", "at", "blocked_until", "known_until", "expires_at")


def define(own: OwnTables) -> Table:
    """Defines the table; call it once per metadata."""
    table = own.table(
        "login_attempts",
        Column("key", Text, primary_key=True),
        Column("level", Float(53), nullable=False),
        Column("at", Instant, nullable=False),
        Column("blocked_until", Instant),
        Column("known_until", Instant),
        Column("expires_at", Instant, nullable=False),
    )
    own.index("login_attempts_expiry", table.c.expires_at)
    return table


class SqlAttemptStore:
    """Implements the port AttemptStore."""

    def __init__(self, database: Database, own: OwnTables, rules: AttemptRules, clock: Callable[[], datetime]) -> None:
        self._database, self._rules, self._clock = database, rules, clock
        self._table = define(own)
        self._insert = own.insert(self._table)
        self._update = update(self._table).where(self._table.c.key == bindparam("of"))
        self._cleaned_at: datetime | None = None

    async def change(self, keys: Keys, decide: Callable[[Levels], Levels]) -> None:
        """Locks the rows in the order of their keys, so nobody waits in a circle."""
        now = self._clock()
        async with self._database.write() as connection:
            if not self._database.is_sqlite:
                await connection.execute(_NOT_FLUSHED)
            found = await connection.execute(self._locked([_empty(key, now) for key in sorted(keys.values())]))
            rows = {row.key: _level(row) for row in found}
            decided = decide({scope: rows[key] for scope, key in keys.items()})
            written = [{"of": keys[scope], **self._row(scope, level, now)} for scope, level in decided.items()]
            if written:
                await connection.execute(self._update.values({name: bindparam(name) for name in _COLUMNS}), written)
            await self._clean(connection, now)

    def _locked(self, empty: Sequence[dict[str, object]]) -> Any:
        """Adds those that are missing, and takes the lock of each that is there by an update that changes nothing."""
        statement = self._insert.values(empty)
        key = self._table.c.key
        return statement.on_conflict_do_update(index_elements=[key], set_={"key": statement.excluded.key}).returning(
            self._table
        )

    def _row(self, scope: AttemptScope, level: AttemptLevel, now: datetime) -> Mapping[str, object]:
        drains = self._rules.window * (level.level / max(self._rules.failures[scope], 1))
        ends = [now + drains, *(at for at in (level.blocked_until, level.known_until) if at is not None)]
        values = level.level, level.at or now, level.blocked_until, level.known_until, max(ends)
        return dict(zip(_COLUMNS, values, strict=True))

    async def _clean(self, connection: AsyncConnection, now: datetime) -> None:
        """Some rows, now and then. They are locked in the same order as above, or left to those who have them."""
        if self._cleaned_at is not None and now - self._cleaned_at < CLEANED_EVERY:
            return
        self._cleaned_at = now
        row = self._table.c
        old = select(row.key).where(row.expires_at < now).order_by(row.expires_at).limit(CLEANED_AT_ONCE)
        await connection.execute(delete(self._table).where(row.key.in_(old.with_for_update(skip_locked=True))))


def _empty(key: str, now: datetime) -> dict[str, object]:
    return {"key": key, "level": 0.0, "at": now, "expires_at": now}


def _level(row: Row[Any]) -> AttemptLevel:
    return AttemptLevel(row.level, row.at, row.blocked_until, row.known_until)
