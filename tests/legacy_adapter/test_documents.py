"""Documents in SQLite as the monolith would leave them: whole shapes, single fields set, nothing else touched."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from chassis.database import Database
from chassis.store import StoreUnavailable
from legacy_adapter.documents import Selection, SqliteDocuments
from tests.monolith_file import MonolithFile


@pytest.fixture
def file(tmp_path: Path) -> MonolithFile:
    return MonolithFile(tmp_path / "monolith.sqlite3")


@pytest.fixture
async def documents(file: MonolithFile) -> AsyncIterator[SqliteDocuments]:
    database = Database(file.url)
    yield SqliteDocuments(database)
    await database.aclose()
    file.close()


def raw(file: MonolithFile, item_id: str) -> tuple[str, str]:
    """`_id` and `body` as they stand in the file."""
    engine = create_engine(file.url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT _id, body FROM mongo_items WHERE id = :id"), {"id": item_id}).one()
    engine.dispose()
    return row[0], row[1]


def new(**fields: Any) -> dict[str, Any]:
    return {"cost": 10, "type": "hint", "data": {"text": "a"}} | fields | {"id": str(uuid.uuid4())}


async def test_a_new_document_has_the_shape_of_the_monoliths_own(
    file: MonolithFile, documents: SqliteDocuments
) -> None:
    fields = new()
    added = await documents.add("items", fields)
    object_id, body = raw(file, fields["id"])
    assert re.fullmatch("[0-9a-f]{24}", object_id)
    assert json.loads(body) == added == {"_id": {"$oid": object_id}, **fields, "__v": 0}
    assert list(json.loads(body)) == ["_id", "cost", "type", "data", "id", "__v"]


async def test_object_ids_never_repeat(documents: SqliteDocuments) -> None:
    added = [await documents.add("items", new()) for _ in range(50)]
    assert len({document["_id"]["$oid"] for document in added}) == 50


async def test_set_fields_leaves_all_others_alone(file: MonolithFile, documents: SqliteDocuments) -> None:
    item = file.add_item(cost=1e21, sold={"by": ["a", None]}, __v=7)
    before = json.loads(raw(file, item)[1])
    assert await documents.set_fields("items", item, {"type": "validator"}) == before | {"type": "validator"}
    after = json.loads(raw(file, item)[1])
    assert (after, list(after)) == (before | {"type": "validator"}, list(before))


async def test_a_field_is_set_as_a_whole(file: MonolithFile, documents: SqliteDocuments) -> None:
    item = file.add_item(data={"text": "old", "more": 1})
    changed = await documents.set_fields("items", item, {"data": {"text": 'x\0"\u2028é'}})
    assert changed is not None
    assert changed["data"] == {"text": 'x\0"\u2028é'}
    assert await documents.find_one("items", item) == changed


async def test_no_fields_write_nothing(file: MonolithFile, documents: SqliteDocuments) -> None:
    item = file.add_item()
    before = raw(file, item)
    assert await documents.set_fields("items", item, {}) == json.loads(before[1])
    assert raw(file, item) == before


async def test_what_is_not_there_is_neither_set_nor_removed(documents: SqliteDocuments) -> None:
    assert await documents.set_fields("items", "nope", {"cost": 1}) is None
    assert await documents.set_fields("items", "nope", {}) is None
    assert await documents.remove("items", "nope") is False


async def test_a_removed_document_is_gone_and_the_others_stay(file: MonolithFile, documents: SqliteDocuments) -> None:
    gone, kept = file.add_item(), file.add_item()
    assert await documents.remove("items", gone) is True
    assert [document["id"] for document in await documents.find("items", Selection())] == [kept]


async def test_sets_at_once_lose_no_field(file: MonolithFile, documents: SqliteDocuments) -> None:
    item = file.add_item()
    await asyncio.gather(*(documents.set_fields("items", item, {f"f{n}": n}) for n in range(60)))
    found = await documents.find_one("items", item)
    assert found is not None
    assert [found.get(f"f{n}") for n in range(60)] == list(range(60))


async def test_a_file_that_is_not_there_is_a_store_that_is_away(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere.sqlite3'}")
    documents = SqliteDocuments(database)
    for asked in (
        documents.add("items", new()),
        documents.set_fields("items", "x", {"a": 1}),
        documents.remove("items", "x"),
    ):
        with pytest.raises(StoreUnavailable):
            await asked
    await database.aclose()
