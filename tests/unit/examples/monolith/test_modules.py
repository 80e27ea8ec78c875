"""Modules: what they refer to, and what is lost of them."""

import json
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
    ("changes", "status", "message"),
    [
        ({"name": "ab"}, 400, "Bad Request"),
        ({"name": "a" * 31}, 400, "Bad Request"),
        ({"reward": "5"}, 400, "Bad Request"),
        ({"tags": "java"}, 400, "Bad Request"),
        ({"data": None}, 400, "Bad Request"),
        ({"image": "x"}, 400, "Bad Request"),
        ({"modules": [1]}, 400, "Bad Request"),
        ({"contents": [None]}, 400, "Bad Request"),
        ({"tags": [None]}, 500, "Internal Server Error"),
        ({"tags": [{}]}, 500, "Internal Server Error"),
        ({"modules": [UNKNOWN]}, 404, "Resource not found"),
        ({"contents": [UNKNOWN]}, 500, "Internal server error"),
    ],
)
def test_what_makes_no_module_is_refused_each_in_its_way(
    admin: Client, changes: dict[str, Any], status: int, message: str
) -> None:
    answer = admin.post("/module", module(**changes))
    assert (answer.status, answer.json["message"]) == (status, message)


def test_a_module_may_have_an_empty_description(admin: Client) -> None:
    assert created(admin, description="")["description"] == ""


def test_a_module_s_data_are_shown_empty_whatever_was_sent(admin: Client) -> None:
    target = f"/module/{created(admin)['id']}"
    answer = admin.patch(target, {"contents": [], "data": None})
    assert (answer.status, answer.data["data"]) == (200, {"_id": None})


def test_a_new_module_shows_object_ids_and_no_data(admin: Client, database: sqlite3.Connection) -> None:
    content_id, child = new_content(admin), created(admin)["id"]
    made = created(admin, modules=[child], contents=[content_id], tags=["java", 1])
    query = "SELECT _id FROM mongo_{} WHERE id = ?"
    assert made["modules"] == list(database.execute(query.format("module"), (child,)).fetchone())
    assert made["contents"] == list(database.execute(query.format("content"), (content_id,)).fetchone())
    assert (made["data"], made["tags"]) == ({"_id": None}, ["java", "1"])
    assert made["author"]["username"] == "admin"


def test_a_module_is_kept_as_mongoose_keeps_it(admin: Client, database: sqlite3.Connection) -> None:
    made = created(admin, contents=[new_content(admin)])
    (text,) = database.execute("SELECT body FROM mongo_module WHERE id = ?", (made["id"],)).fetchone()
    body = json.loads(text)
    assert " ".join(body) == "_id name description type reward tags data modules contents authorId id __v"
    assert list(body["data"]) == ["_id"]
    assert list(body["contents"][0]) == ["$oid"]


def test_one_module_shows_all_of_its_parts_and_a_list_their_ids(admin: Client, alice: Client) -> None:
    content_id, child = new_content(admin), created(admin)
    made = created(admin, modules=[child["id"]], contents=[content_id])
    one = alice.get(f"/module/{made['id']}").data
    assert one["contents"] == [alice.get(f"/content/{content_id}").data]
    assert (one["modules"][0]["name"], len(one["modules"][0]["_id"])) == (child["name"], 24)
    assert " ".join(one["modules"][0]) == "_id name description type reward tags data modules contents authorId id __v"
    (listed,) = alice.get(f"/module?name={made['name']}").data
    assert (listed["modules"], listed["contents"]) == ([{"id": child["id"]}], [{"id": content_id}])


def test_parts_that_are_gone_are_left_out(admin: Client, alice: Client) -> None:
    content_id, child = new_content(admin), created(admin)["id"]
    made = created(admin, modules=[child], contents=[content_id])
    statuses = [
        admin.delete(target).status for target in (f"/module/{child}", f"/module/{child}", f"/content/{content_id}")
    ]
    assert statuses == [204, 204, 204]
    for shown in (alice.get(f"/module/{made['id']}").data, *alice.get(f"/module?name={made['name']}").data):
        assert (shown["modules"], shown["contents"]) == ([], [])


def test_a_change_without_modules_empties_them_and_without_contents_fails(admin: Client) -> None:
    child, content_id = created(admin)["id"], new_content(admin)
    target = f"/module/{created(admin, modules=[child], contents=[content_id])['id']}"
    failed = admin.patch(target, {"name": fresh_name()})
    assert (failed.status, failed.json["message"]) == (500, "Internal server error")
    assert len(admin.get(target).data["modules"]) == 1
    changed = admin.patch(target, {"contents": [content_id], "reward": -3})
    assert (changed.status, changed.data["modules"], changed.data["reward"]) == (200, [], -3)
    assert len(changed.data["contents"]) == 1


@pytest.mark.parametrize("refused", ["image", "progress", "author", "id", "authorId"])
def test_some_fields_cannot_be_changed(admin: Client, refused: str) -> None:
    assert admin.patch(f"/module/{UNKNOWN}", {"contents": [], refused: "x"}).status == 400


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


def test_guests_read_no_modules_and_users_write_none(guest: Client, alice: Client) -> None:
    assert [guest.get("/module").status, guest.get(f"/module/{UNKNOWN}").status] == [403, 403]
    assert [alice.post("/module", {}).status, alice.delete(f"/module/{UNKNOWN}").status] == [403, 403]
