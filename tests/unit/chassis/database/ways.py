"""The four ways to the database: engine or driver, on SQLite or PostgreSQL. One table, the same statements on all."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, bindparam, insert, select, update

from chassis.database.database import Database
from chassis.database.prepared import AnyConnection, PreparedInserts, PreparedRows, PreparedStatement
from tests.support.connected import fresh_postgres

THING = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True)),
    Column("other", String),
)
ADD, ALL = PreparedStatement(insert(THING), "id", "at", "other"), PreparedStatement(select(THING).order_by(THING.c.id))
CHANGE = PreparedStatement(
    update(THING).where(THING.c.id == bindparam("of_id")).values(id=bindparam("to", type_=Integer))
)
ADD_EACH = PreparedInserts(*[(THING, ("id", "at", "other"))] * 2)
CHANGE_EACH = PreparedRows(
    {"of_id": THING.c.id.type, "other": THING.c.other.type},
    lambda given: update(THING).where(THING.c.id == given.c.of_id).values(other=given.c.other).returning(*THING.c),
)
FIND_EACH = PreparedRows(
    {"of_id": THING.c.id.type}, lambda given: select(THING).where(THING.c.id == given.c.of_id), is_lookup=True
)
SECRET = "tell-nobody"
AT = datetime(2026, 1, 1, tzinfo=UTC)
Open = Callable[[Database], AbstractAsyncContextManager[AnyConnection]]


def on_sqlite(folder: Path) -> str:
    path = folder / "odd name.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, at TIMESTAMP, other TEXT)")
    return f"sqlite:///{path}"


def on_postgres(_folder: Path) -> str:
    url = fresh_postgres()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE thing (id integer PRIMARY KEY, at timestamptz, other text)")
    return url


@dataclass(frozen=True)
class Way:
    """`made`: the URL of a new database with the table; `missing`: one of a store that is not there."""

    made: Callable[[Path], str]
    missing: str
    write: Open
    look: Open


_ENGINE: tuple[Open, Open] = (lambda database: database.write(), lambda database: database.look())
_DRIVER: tuple[Open, Open] = (lambda database: database.prepared_write(), lambda database: database.prepared_look())
_NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere"
ON_POSTGRES = (
    pytest.param(Way(on_postgres, _NOWHERE, *_ENGINE), id="engine, postgresql", marks=pytest.mark.connected),
    pytest.param(Way(on_postgres, _NOWHERE, *_DRIVER), id="driver, postgresql", marks=pytest.mark.connected),
)
EVERY_WAY = (
    pytest.param(Way(on_sqlite, "sqlite:///nowhere.sqlite3", *_ENGINE), id="engine, sqlite"),
    pytest.param(Way(on_sqlite, "sqlite:///nowhere.sqlite3", *_DRIVER), id="prepared, sqlite"),
    *ON_POSTGRES,
)


def thing(id: int) -> dict[str, object]:
    return {"id": id, "at": AT, "other": SECRET}


async def add(way: Way, database: Database, *numbers: int) -> None:
    async with way.write(database) as connection:
        for number in numbers:
            await ADD.on(connection, thing(number))


async def ids(way: Way, database: Database) -> list[int]:
    async with way.look(database) as connection:
        return [row.id for row in await ALL.on(connection, {})]
