"""The levels of failed log-ins in Account's own table. Rows whose level has drained go."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Float,
    FromClause,
    Table,
    Text,
    any_,
    bindparam,
    delete,
    select,
    true,
)

from chassis.database.database import Database
from chassis.database.own_tables import Instant, OwnTables
from chassis.database.prepared import AnyConnection, PreparedRows, PreparedStatement
from extracted.account.attempts.domain import AttemptLevel, AttemptRules, AttemptScope
from extracted.account.attempts.ports import Keys, Levels

CLEANED_EVERY: Final = timedelta(seconds=10)
CLEANED_AT_ONCE: Final = 5_000
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
        table = define(own)
        self._look = PreparedStatement(select(table).where(_is_one_of(table.c.key, own.is_sqlite)))
        self._put = PreparedRows({column.name: column.type for column in table.c}, partial(_put, own, table))
        self._remove = PreparedStatement(_remove(table))
        self._cleaned_at: datetime | None = None

    async def change(self, keys: Keys, decide: Callable[[Levels], Levels]) -> None:
        """Holds a lock for each key, so that nobody decides about the same levels at the same time.

        A log-in does not wait for the disk: a crash of PostgreSQL may forget the counts of its last moments, no more.
        """
        now = self._clock()
        locks = [int.from_bytes(bytes.fromhex(key[:16]), signed=True) for key in keys.values()]
        async with self._database.prepared_write(locks, is_flushed=False) as connection:
            found = await self._look.on(connection, {"keys": [*keys.values()]})
            levels = {row.key: _level(row) for row in found}
            decided = decide({scope: levels.get(key, AttemptLevel()) for scope, key in keys.items()})
            rows = [{"key": keys[scope], **self._row(scope, level, now)} for scope, level in decided.items()]
            await self._put.on(connection, sorted(rows, key=itemgetter("key")))
            await self._clean(connection, now)

    def _row(self, scope: AttemptScope, level: AttemptLevel, now: datetime) -> Mapping[str, object]:
        drains = self._rules.window * (level.level / max(self._rules.failures[scope], 1))
        ends = [now + drains, *(at for at in (level.blocked_until, level.known_until) if at is not None)]
        values = level.level, level.at or now, level.blocked_until, level.known_until, max(ends)
        return dict(zip(_COLUMNS, values, strict=True))

    async def _clean(self, connection: AnyConnection, now: datetime) -> None:
        """Some rows, now and then."""
        if self._cleaned_at is None or now - self._cleaned_at >= CLEANED_EVERY:
            self._cleaned_at = now
            await self._remove.on(connection, {"now": now})


def _is_one_of(key: Column[str], is_sqlite: bool) -> ColumnElement[bool]:
    if is_sqlite:
        return key.in_(bindparam("keys", expanding=True))
    return key == any_(bindparam("keys", type_=ARRAY(Text)))


def _put(own: OwnTables, table: Table, given: FromClause) -> Any:
    names = table.c.keys()
    rows = own.insert(table).from_select(names, select(*(given.c[name] for name in names)).where(true()))
    changed = {name: rows.excluded[name] for name in names}
    return rows.on_conflict_do_update(index_elements=[table.c.key], set_=changed)


def _remove(table: Table) -> Any:
    """Rows that others have locked are left to them, so nobody waits in a circle."""
    row = table.c
    old = select(row.key).where(row.expires_at < bindparam("now")).order_by(row.expires_at).limit(CLEANED_AT_ONCE)
    return delete(table).where(row.key.in_(old.with_for_update(skip_locked=True)))


def _level(row: Any) -> AttemptLevel:
    return AttemptLevel(row.level, row.at, row.blocked_until, row.known_until)
