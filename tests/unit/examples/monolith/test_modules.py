"""Modules: what no recorded request shows."""

import sqlite3
from typing import Any

import pytest

from tests.unit.examples.monolith.client import Client, fresh_name
from tests.unit.examples.monolith.trees import content, markdown, module

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def created(admin: Client, **fields: Any) -> dict[str, Any]:
    answer = admin.post("/module", module(**fields))
    assert answer.status == 201, answer.content
    return dict(answer.data)


def new_content(admin: Client) -> str:
    answer = admin.post("/content", content(markdown()))
    assert answer.status == 201, answer.content
    return str(answer.data["id"])


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"name": "ab"}, 400), ({"name": "a" * 31}, 400), ({"tags": "java"}, 400), ({"data": None}, 400),
     ({"modules": [1]}, 400), ({"contents": [None]}, 400), ({"authorId": UNKNOWN}, 400), ({"tags": [None]}, 500),
     ({"tags": [{}]}, 500), ({"description": ""}, 201)],
)  # fmt: skip
def test_a_module_of_another_shape_is_refused(admin: Client, changes: dict[str, Any], status: int) -> None:
    assert admin.post("/module", module(**changes)).status == status


def test_a_new_module_shows_object_ids_and_no_data(admin: Client, database: sqlite3.Connection) -> None:
    content_id, child = new_content(admin), created(admin)["id"]
    made = created(admin, modules=[child], contents=[content_id], tags=["java", 1])
    query = "SELECT _id FROM mongo_{} WHERE id = ?"
    assert made["modules"] == list(database.execute(query.format("module"), (child,)).fetchone())
    assert made["contents"] == list(database.execute(query.format("content"), (content_id,)).fetchone())
    assert (made["data"], made["tags"]) == ({"_id": None}, ["java", "1"])
    assert made["author"]["username"] == "admin"


def test_parts_that_are_gone_are_left_out(admin: Client, alice: Client) -> None:
    content_id, child = new_content(admin), created(admin)["id"]
    made = created(admin, modules=[child], contents=[content_id])
    statuses = [
        admin.delete(target).status for target in (f"/module/{child}", f"/module/{child}", f"/content/{content_id}")
    ]
    assert statuses == [204, 204, 204]
    for shown in (alice.get(f"/module/{made['id']}").data, *alice.get(f"/module?name={made['name']}").data):
        assert (shown["modules"], shown["contents"]) == ([], [])


def test_an_author_who_is_gone_is_an_empty_object(admin: Client, database: sqlite3.Connection) -> None:
    made = created(admin)
    database.execute(
        "UPDATE mongo_module SET body = json_set(body, '$.authorId', ?) WHERE id = ?", (UNKNOWN, made["id"])
    )
    assert admin.get(f"/module/{made['id']}").data["author"] == {}


def test_tags_find_modules_that_have_any_of_them(admin: Client, alice: Client) -> None:
    mark = fresh_name()
    ids = [created(admin, tags=tags)["id"] for tags in ([mark, "java"], [f"{mark}x"], ["java"])]

    def found(query: str) -> list[str]:
        answer = alice.get(f"/module?{query}&limit=100")
        assert answer.json["metadata"]["filter"] == {"keys": {}}
        return [each["id"] for each in answer.data]

    assert found(f"tags=[{mark},{mark}x]") == ids[:2]
    assert found(f"tags=[{mark}]") == ids[:1]
    assert found(f"tags={mark}") == []
    assert found("tags=[]") == []
    assert alice.get("/module?tags[]=java").json == {"statusCode": 500, "message": "Internal server error"}


def test_an_author_is_found_by_the_whole_id(admin: Client, alice: Client) -> None:
    made = created(admin)
    author = made["author"]["id"]
    assert made["id"] in [each["id"] for each in alice.get(f"/module?authorId={author}&limit=100").data]
    assert alice.get(f"/module?authorId={author[:-1]}").data == []
