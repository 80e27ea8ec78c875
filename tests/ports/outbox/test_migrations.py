"""A service's own tables come and stay; what belongs to somebody else is never touched."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData
from sqlalchemy.schema import CreateTable

from chassis.database import migrations
from chassis.database.database import Database
from tests.ports.outbox.service import REVISIONS

ROOT = Path(__file__).parents[3]
SECOND = '''"""One column more."""

from alembic import op
from sqlalchemy import Column, Text

from chassis.database import migrations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    tables = migrations.own_tables()
    op.add_column(tables.name("balance"), Column("note", Text), schema=tables.schema)
'''
BROKEN = SECOND + '    raise RuntimeError("half way")\n'


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.aclose()


@pytest.fixture
def revisions(tmp_path: Path) -> Path:
    """A folder with the first migration, to be added to."""
    folder = tmp_path / "revisions"
    folder.mkdir()
    (folder / "first.py").write_text((REVISIONS / "first.py").read_text())
    return folder


def _schema(connection: Connection, schema: str | None) -> dict[str, str]:
    metadata = MetaData()
    metadata.reflect(connection, schema=schema, resolve_fks=False)
    return {name: str(CreateTable(table)) for name, table in metadata.tables.items()}


async def tables_of(database: Database, schema: str | None = None) -> dict[str, str]:
    async with database.read() as connection:
        return await connection.run_sync(_schema, schema)


async def own(database: Database, service: str = "account") -> dict[str, str]:
    if not database.is_sqlite:
        return await tables_of(database, service)
    return {name: table for name, table in (await tables_of(database)).items() if name.startswith(f"{service}_")}


async def foreign(database: Database) -> dict[str, str]:
    return {name: table for name, table in (await tables_of(database)).items() if not name.startswith("account_")}


async def test_the_tables_are_made_and_the_foreign_ones_are_as_before(url: str, database: Database) -> None:
    before = await foreign(database)
    await migrations.upgrade(url, "account", REVISIONS)
    prefix = "account_" if database.is_sqlite else "account."
    names = ("alembic_version", "balance", "inbox", "outbox", "parked")
    assert sorted(await own(database)) == [prefix + name for name in names]
    assert await foreign(database) == before
    assert list(before) == ["foreign_thing"]
    made = await own(database)
    await migrations.upgrade(url, "account", REVISIONS)
    assert await own(database) == made


async def test_two_services_live_beside_each_other(url: str, database: Database) -> None:
    await asyncio.gather(*(migrations.upgrade(url, service, REVISIONS) for service in ("account", "shop")))
    assert len(await own(database, "account")) == len(await own(database, "shop")) == 5


@pytest.mark.walk
async def test_several_processes_at_once_make_them_once(url: str, database: Database) -> None:
    call = f'asyncio.run(migrations.upgrade({url!r}, "account", Path({str(REVISIONS)!r})))'
    code = f"import asyncio; from pathlib import Path; from chassis.database import migrations; {call}"
    running = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT) for _ in range(3)]
    assert [await process.wait() for process in running] == [0, 0, 0]
    assert await migrations.head_missing(database, "account", REVISIONS) is None


async def test_a_database_that_is_behind_is_told_in_one_sentence(url: str, database: Database, revisions: Path) -> None:
    assert await migrations.head_missing(database, "account", revisions) == (
        "the tables of account are at no revision, wanted 0001: run `python -m extracted.account migrate`"
    )
    await migrations.upgrade(url, "account", revisions)
    assert await migrations.head_missing(database, "account", revisions) is None
    (revisions / "second.py").write_text(SECOND)
    assert "at 0001, wanted 0002" in (await migrations.head_missing(database, "account", revisions) or "")
    await migrations.upgrade(url, "account", revisions)
    assert await migrations.head_missing(database, "account", revisions) is None


async def test_a_migration_that_fails_leaves_all_as_it_was(url: str, database: Database, revisions: Path) -> None:
    await migrations.upgrade(url, "account", revisions)
    before = await own(database)
    (revisions / "second.py").write_text(BROKEN)
    with pytest.raises(RuntimeError, match="half way"):
        await migrations.upgrade(url, "account", revisions)
    assert await own(database) == before
    assert "at 0001" in (await migrations.head_missing(database, "account", revisions) or "")


async def test_older_code_goes_on_with_newer_tables(url: str, database: Database, revisions: Path) -> None:
    (revisions / "second.py").write_text(SECOND)
    await migrations.upgrade(url, "account", revisions)
    (revisions / "second.py").unlink()
    assert await migrations.head_missing(database, "account", revisions) is None
    await migrations.upgrade(url, "account", revisions)
    assert "note" in str(await own(database))
