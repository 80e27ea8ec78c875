"""Contents and their trees: what no recorded request shows."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.examples.monolith.client import JSON, Answer, Client
from tests.unit.examples.monolith.trees import container, content, editor, markdown, validator

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NewContent = Callable[..., dict[str, Any]]


@pytest.fixture
def new_content(admin: Client) -> NewContent:
    def create(root: object, **fields: Any) -> dict[str, Any]:
        answer = admin.post("/content", content(root, **fields))
        assert answer.status == 201, answer.content
        return dict(answer.data)

    return create


def put(admin: Client, present: dict[str, Any], root: object) -> Answer:
    body = content(root, name=present["name"])
    return admin.send("PUT", f"/content/{present['id']}", body)


def stored(database: sqlite3.Connection, collection: str, public_id: str) -> Any:
    row = database.execute(f"SELECT body FROM mongo_{collection} WHERE id = ?", (public_id,)).fetchone()
    return json.loads(row[0]) if row else None


def test_every_node_is_a_document_and_a_copy_in_its_parent(
    new_content: NewContent, database: sqlite3.Connection
) -> None:
    made = new_content(container(editor(validator("1", "2"))))
    root = stored(database, "component", made["rootComponent"]["id"])
    code = root["data"]["components"][0]
    assert list(root) == ["_id", "type", "data", "id", "__v"]
    assert stored(database, "component", code["id"]) == code
    assert stored(database, "validator", code["data"]["validators"][0]["id"]) == code["data"]["validators"][0]
    assert stored(database, "content", made["id"])["rootComponent"] == root["_id"]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [({}, None), ({"a": {}}, None), ({"a": {"b": {}}, "c": 1}, {"c": 1}), ({"a": [{}, {"b": {}}]}, {"a": [{}, {}]}),
     ({"a": None}, {"a": None})],
)  # fmt: skip
def test_empty_objects_are_left_out(new_content: NewContent, sent: object, shown: object) -> None:
    assert new_content(markdown(), data=sent).get("data") == shown


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"name": "ab"}, 400), ({"description": "ab"}, 400), ({"type": "question"}, 400), ({"reward": 0.5}, 201),
     ({"data": None}, 400), ({"data": []}, 400), ({"rootComponent": None}, 500), ({"rootComponent": "text"}, 400),
     ({"rootComponent": {"type": "markdown"}}, 400), ({"rootComponent": {"type": "mcq", "data": {}}}, 500),
     ({"rootComponent": container({"type": "mcq", "data": {}})}, 500),
     ({"rootComponent": container(markdown() | {"id": UNKNOWN})}, 400),
     ({"rootComponent": container({"type": 1, "data": {}})}, 400),
     ({"rootComponent": editor(validator("1", "2") | {"isHidden": "no"})}, 400),
     ({"rootComponent": editor(validator("1", "2") | {"input": {"stdin": [1]}})}, 400),
     ({"rootComponent": {"type": "editor", "data": {"editorSettings": {}}}}, 400),
     ({"rootComponent": {"type": "editor", "data": {"items": [UNKNOWN], "validators": None}}}, 201)],
)  # fmt: skip
def test_a_content_is_checked_to_the_last_leaf(admin: Client, changes: dict[str, Any], status: int) -> None:
    answer = admin.post("/content", content(markdown(), **changes))
    assert answer.status == status, answer.content


@pytest.mark.parametrize(("depth", "status"), [(60, 201), (300, 500)])
def test_a_tree_may_be_deep_but_not_too_deep(admin: Client, depth: int, status: int) -> None:
    root = markdown()
    for _ in range(depth):
        root = container(root)
    assert admin.post("/content", content(root)).status == status


def test_a_put_keeps_changes_adds_and_removes_nodes(
    admin: Client, new_content: NewContent, database: sqlite3.Connection
) -> None:
    made = new_content(container(markdown("a"), editor(validator("1", "2"), validator("3", "4")), markdown("c")))
    text, code, gone = made["rootComponent"]["data"]["components"]
    kept, dropped = code["data"]["validators"]
    code["data"]["validators"] = [kept | {"isHidden": True}, validator("5", "6")]
    text["data"]["markdown"] = "A"
    root = made["rootComponent"] | {"data": {"components": [markdown("new"), text, code]}}
    answer = put(admin, made, root)
    assert answer.status == 200, answer.content
    new, text_now, code_now = answer.data["rootComponent"]["data"]["components"]
    assert [text_now["id"], code_now["id"]] == [text["id"], code["id"]]
    assert (new["data"], text_now["data"]) == ({"markdown": "new"}, {"markdown": "A"})
    assert [each["isHidden"] for each in code_now["data"]["validators"]] == [True, False]
    assert stored(database, "component", gone["id"]) is None
    assert stored(database, "validator", dropped["id"]) is None
    assert stored(database, "validator", kept["id"])["isHidden"] is True
    assert admin.get(f"/content/{made['id']}").data == answer.data


def test_a_root_without_id_takes_the_place_of_the_old_tree(
    admin: Client, new_content: NewContent, database: sqlite3.Connection
) -> None:
    made = new_content(container(editor(validator("1", "2"))))
    code = made["rootComponent"]["data"]["components"][0]
    answer = put(admin, made, markdown("all new"))
    assert answer.data["rootComponent"]["data"] == {"markdown": "all new"}
    assert answer.data["rootComponent"]["id"] != made["rootComponent"]["id"]
    gone = [("component", made["rootComponent"]), ("component", code), ("validator", code["data"]["validators"][0])]
    assert [stored(database, collection, node["id"]) for collection, node in gone] == [None, None, None]


def test_nodes_of_others_cannot_be_put(admin: Client, new_content: NewContent) -> None:
    made, other = (
        new_content(container(editor(validator("1", "2")))),
        new_content(container(editor(validator("1", "2")))),
    )
    root, code = made["rootComponent"], made["rootComponent"]["data"]["components"][0]
    foreign = other["rootComponent"]["data"]["components"][0]
    test = foreign["data"]["validators"][0]
    cases = {
        "Cannot change root component to an existing one": root | {"id": other["rootComponent"]["id"]},
        f"Cannot add component with id {foreign['id']}": root | {"data": {"components": [foreign]}},
        f"Cannot find validator with id {test['id']} for this component": root
        | {"data": {"components": [code | {"data": {"validators": [test]}}]}},
    }
    for message, sent in cases.items():
        answer = put(admin, made, sent)
        assert (answer.status, answer.json["message"]) == (400, message)
    assert admin.get(f"/content/{made['id']}").data == made


def test_a_content_goes_with_its_tree(admin: Client, new_content: NewContent, database: sqlite3.Connection) -> None:
    made = new_content(container(editor(validator("1", "2"))))
    code = made["rootComponent"]["data"]["components"][0]
    assert [admin.delete(f"/content/{made['id']}").status for _ in range(2)] == [204, 404]
    assert stored(database, "component", code["id"]) is None
    assert stored(database, "validator", code["data"]["validators"][0]["id"]) is None


@pytest.mark.parametrize(
    ("query", "status"),
    [("name=(?=a)", 500), ("name[]=a", 500), ("name=a%00", 200), ("name=(a*)*$", 200), ("name=", 200),
     ("order-by=reward:sideways", 500), ("order-by=reward", 200)],
)  # fmt: skip
def test_names_are_searched_by_regular_expression(alice: Client, query: str, status: int) -> None:
    assert alice.get(f"/content?{query}").status == status


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_an_infinite_number_is_a_500_and_is_not_stored(
    admin: Client, new_content: NewContent, database: sqlite3.Connection, number: str
) -> None:
    made = new_content(container(markdown()))
    body = json.dumps(content(container(markdown()), name=made["name"])).replace(
        '"data": {}', f'"data": {{"x": {number}}}', 1
    )
    query = "SELECT (SELECT group_concat(body) FROM mongo_content), (SELECT group_concat(body) FROM mongo_component)"
    before = database.execute(query).fetchone()
    for method, target in (("POST", "/content"), ("PUT", f"/content/{made['id']}")):
        assert admin.ask(method, target, JSON, body.encode()).status == 500
    assert database.execute(query).fetchone() == before
    assert admin.get(f"/content?name={made['name']}&order-by=reward:asc").data == [made]
