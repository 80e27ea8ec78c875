"""Documents as the monolith would leave them: whole shapes, single fields set, nothing else touched.

On SQLite, and on a server that speaks MongoDB's protocol.
"""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable
from legacy_adapter.documents.mongo import MongoDocuments
from legacy_adapter.documents.port import (
    DocumentCondition,
    DocumentQuery,
    DocumentRefused,
    DocumentStore,
    new_document,
)
from legacy_adapter.stores import opened
from tests.support.connected import expect_lost_updates
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import on_real_parts

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def documents(file: MonolithData) -> AsyncIterator[DocumentStore]:
    stores = opened(file.url, file.documents_url)
    yield stores.documents
    await stores.aclose()


def stored(file: MonolithData, item_id: str) -> dict[str, Any]:
    """As it stands in the store, its fields in their order."""
    document = file.item(item_id)
    assert document is not None
    return document | {"_id": ObjectId(document["_id"]["$oid"])}


def new(**fields: Any) -> dict[str, Any]:
    return {"cost": 10, "type": "hint", "data": {"text": "a"}} | fields | {"id": str(uuid.uuid4())}


async def test_a_new_document_has_the_shape_of_the_monoliths_own(file: MonolithData, documents: DocumentStore) -> None:
    fields = new()
    added = await documents.add("items", fields)
    body = stored(file, fields["id"])
    assert body == added == {"_id": body["_id"], **fields, "__v": 0}
    assert list(body) == ["_id", "cost", "type", "data", "id", "__v"]


async def test_of_documents_with_one_object_id_at_once_the_first_stays(documents: DocumentStore) -> None:
    object_id = ObjectId()
    added = await asyncio.gather(*(documents.add_once("items", object_id, new(cost=cost)) for cost in range(5)))
    assert len({document["id"] for document in added}) == 1
    assert added[0]["_id"] == object_id
    assert await documents.find_one("items", added[0]["id"]) == added[0]


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        (DocumentCondition(missing=("sold", "reason")), True),
        (DocumentCondition(missing=("sold", "type")), False),
        (DocumentCondition(texts={"data.text": "a"}), True),
        (DocumentCondition(texts={"data.text": "b"}), False),
        (DocumentCondition(texts={"data.none": "a"}), False),
        (DocumentCondition(("sold",), {"type": "hint", "data.text": "a"}), True),
    ],
)
async def test_set_fields_writes_only_if_its_condition_is_met(
    documents: DocumentStore, condition: DocumentCondition, is_met: bool
) -> None:
    added = await documents.add("items", new(reason=None))
    changed = await documents.set_fields("items", added["id"], {"cost": 99}, condition)
    after = await documents.find_one("items", added["id"])
    assert changed == (after if is_met else None)
    assert after == {**added, "cost": 99 if is_met else 10}


async def test_of_two_conditional_writes_at_once_one_is_the_first(file: MonolithData, documents: DocumentStore) -> None:
    expect_lost_updates(file.documents_url)
    id = (await documents.add("items", new()))["id"]
    first = DocumentCondition(missing=("sold",))
    written = await asyncio.gather(*(documents.set_fields("items", id, {"sold": n}, first) for n in range(8)))
    assert len([document for document in written if document is not None]) == 1


async def test_set_fields_leaves_all_others_alone(file: MonolithData, documents: DocumentStore) -> None:
    item = file.add_item(cost=1e21, sold={"by": ["a", None]}, __v=7)
    before = stored(file, item)
    assert await documents.set_fields("items", item, {"type": "validator"}) == before | {"type": "validator"}
    after = stored(file, item)
    assert (after, list(after)) == (before | {"type": "validator"}, list(before))


async def test_a_field_is_set_as_a_whole_and_no_field_writes_nothing(
    file: MonolithData, documents: DocumentStore
) -> None:
    item = file.add_item(data={"text": "old", "more": 1})
    changed = await documents.set_fields("items", item, {"data": {"text": 'x\0"\u2028é'}})
    assert changed is not None
    assert changed["data"] == {"text": 'x\0"\u2028é'}
    before = stored(file, item)
    assert await documents.set_fields("items", item, {}) == await documents.find_one("items", item) == changed
    assert stored(file, item) == before


async def test_several_are_found_by_their_ids(documents: DocumentStore) -> None:
    first, second, _third = [await documents.add("items", new(cost=cost)) for cost in range(3)]
    wanted = [second["id"], str(uuid.uuid4()), first["id"], second["id"].upper()]
    found = await documents.find("items", DocumentQuery({"id": wanted}))
    assert sorted(found, key=lambda one: int(one["cost"])) == [first, second]
    assert await documents.find("items", DocumentQuery({"id": []})) == []


async def test_references_are_object_ids_at_any_depth(file: MonolithData, documents: DocumentStore) -> None:
    first, second = [await documents.add("items", new()) for _ in range(2)]
    third = await documents.add("items", new(data={"to": [first["_id"], {"and": second["_id"]}]}))
    wanted = [*third["data"]["to"][:1], third["data"]["to"][1]["and"], ObjectId()]
    assert await documents.find_by_object_id("items", wanted) == {first["_id"]: first, second["_id"]: second}
    assert await documents.find_by_object_id("items", []) == {}
    assert await documents.find_one("items", third["id"]) == third


async def test_all_documents_come_page_by_page_in_the_order_of_their_object_ids(documents: DocumentStore) -> None:
    added = [await documents.add("items", new(cost=cost)) for cost in range(3)]
    assert await documents.after("items", None, 2) == added[:2]
    assert await documents.after("items", added[1]["_id"], 2) == added[2:]
    assert await documents.after("items", added[2]["_id"], 2) == []


async def test_whole_documents_are_inserted_as_they_are(file: MonolithData, documents: DocumentStore) -> None:
    whole = [new_document(new(cost=cost)) for cost in range(2)]
    await documents.insert("items", whole)
    assert await documents.find_all("items", [one["id"] for one in whole]) == {one["id"]: one for one in whole}
    assert stored(file, whole[0]["id"]) == whole[0]


async def test_several_changes_leave_other_fields_alone(file: MonolithData, documents: DocumentStore) -> None:
    first, second = file.add_item(more=1), file.add_item()
    before = stored(file, first)
    changes = [(first, {"cost": 1}), (str(uuid.uuid4()), {"cost": 9}), (second, {"cost": 2}), (first, {"cost": 3})]
    await documents.set_each("items", changes)
    assert (stored(file, first), stored(file, second)["cost"]) == (before | {"cost": 3}, 2)


async def test_several_are_removed_at_once(file: MonolithData, documents: DocumentStore) -> None:
    gone, kept, also = file.add_item(), file.add_item(), file.add_item()
    await documents.remove_all("items", [gone, str(uuid.uuid4()), also])
    assert [document["id"] for document in await documents.find("items", DocumentQuery())] == [kept]


async def test_texts_match_expressions_and_lists_hold_texts(documents: DocumentStore) -> None:
    for name, tags in (("Bäume+", ["a", "b"]), ("baum", ["b"]), (7, []), (None, None)):
        await documents.add("items", new(name=name, tags=tags))

    async def names(**query: Any) -> list[Any]:
        return [document["name"] for document in await documents.find("items", DocumentQuery(**query))]

    assert await names(matching={"name": "^[Bb].*m"}) == ["Bäume+", "baum"]
    assert await names(matching={"name": "B"}) == await names(matching={"name": r"\+$"}) == ["Bäume+"]
    assert await names(matching={"name": ""}) == ["Bäume+", "baum"]
    assert await names(any_of={"tags": ["a", "z"]}) == ["Bäume+"]
    assert await names(any_of={"tags": ["b"]}, matching={"name": "b"}) == ["baum"]
    assert await names(any_of={"tags": [""]}) == []
    with pytest.raises(DocumentRefused):
        await names(matching={"name": "("})


async def test_a_removed_document_is_gone_and_the_others_stay(file: MonolithData, documents: DocumentStore) -> None:
    gone, kept = file.add_item(), file.add_item()
    assert await documents.remove("items", gone) is True
    assert [document["id"] for document in await documents.find("items", DocumentQuery())] == [kept]
    assert await documents.set_fields("items", gone, {"cost": 1}) is await documents.set_fields("items", gone, {})
    assert await documents.remove("items", gone) is await documents.remove("items", "nope") is False


async def test_sets_at_once_lose_no_field(file: MonolithData, documents: DocumentStore) -> None:
    expect_lost_updates(file.documents_url)
    item = file.add_item(**{f"f{n}": None for n in range(60)})
    await asyncio.gather(*(documents.set_fields("items", item, {f"f{n}": n}) for n in range(60)))
    found = await documents.find_one("items", item)
    assert found is not None
    assert [found.get(f"f{n}") for n in range(60)] == list(range(60))


async def test_a_page_is_cut_after_filter_and_order(file: MonolithData, documents: DocumentStore) -> None:
    cheap, dear, other = (file.add_item(cost=cost, type=kind) for cost, kind in ((1, "a"), (1e21, "a"), (5, "b")))
    mid = file.add_item(cost=2.5, type="a")

    async def ids(*, skip: int = 0, limit: int = 100, types: tuple[str, ...] = ("a",), **order: bool) -> list[str]:
        found = await documents.find("items", DocumentQuery({"type": types}, order, skip, limit))
        return [document["id"] for document in found]

    assert await ids() == [cheap, dear, mid]
    assert await ids(cost=False) == [cheap, mid, dear]
    assert await ids(cost=True, types=("a", "b")) == [dear, other, mid, cheap]
    assert await ids(skip=1, limit=1, cost=True) == [mid]
    assert await ids(skip=2**62) == await ids(types=()) == []


async def test_a_number_is_stored_as_javascript_stores_it(file: MonolithData, documents: DocumentStore) -> None:
    """Beyond 32 bits a whole number is a double."""
    added = await documents.add("items", new(cost=2**53 + 1, count=7))
    kept = stored(file, added["id"])
    assert (added["cost"], kept["count"]) == (kept["cost"], 7)
    if file.documents_url:
        assert isinstance(kept["cost"], float)


ASK_NOBODY = """
import asyncio, sys
from chassis.store import StoreUnavailable
from legacy_adapter.documents.port import DocumentQuery
from legacy_adapter.stores import opened

async def main():
    stores = opened(sys.argv[1], sys.argv[2] or None)
    asks = stores.documents
    asked = (stores.ping(), asks.find_one("items", "x"), asks.find("items", DocumentQuery()), asks.add(
        "items", {"id": "x"}), asks.set_fields("items", "x", {"a": 1}), asks.remove("items", "x"))
    for error in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(error, StoreUnavailable):
            print(error)
    await stores.aclose()

asyncio.run(main())
"""


@pytest.mark.walk
@pytest.mark.parametrize(
    ("documents_url", "told"),
    [("", "unable to open"), ("mongodb://127.0.0.1:1/nowhere", "127.0.0.1:1:")],
)
def test_a_store_that_is_not_there_is_away(tmp_path: Path, documents_url: str, told: str) -> None:
    """In a process of its own: pymongo's monitor may leave a socket unclosed that it was connecting."""
    command = [sys.executable, "-c", ASK_NOBODY, f"sqlite:///{tmp_path / 'nowhere.sqlite3'}", documents_url]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=240).stdout
    assert len(shown.splitlines()) == 6
    assert shown.count(told) >= 5


@pytest.mark.connected
async def test_a_query_that_runs_for_too_long_is_given_up() -> None:
    """With a time of zero milliseconds left, in effect: MongoDB counts 1, and the batch is not that fast."""
    data = MonolithData(on_real_parts(Path()))
    for _ in range(300):
        data.add_item(data={"text": "x" * 1000})
    assert data.documents_url is not None
    documents = MongoDocuments(data.documents_url)
    documents._timeout_ms = 1
    with pytest.raises(StoreUnavailable):
        await documents.find("items", DocumentQuery(limit=0))
    await documents.aclose()
    data.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mongodb://", "mongodb://127.0.0.1", "mongodb://127.0.0.1/", "http://x/y"]
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="mongodb://HOST/NAME"):
        MongoDocuments(url)


def test_postgresql_alone_has_no_documents() -> None:
    with pytest.raises(SettingsInvalid, match="documents URL"):
        opened("postgresql://127.0.0.1:1/x", None)
