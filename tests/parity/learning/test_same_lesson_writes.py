"""Learning and the stand-in monolith answer writes alike, and leave the same documents behind."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.parity.learning.lessons import CONTENT, EDITOR, MARKDOWN, MODULE, TREE, VALIDATOR, Lessons
from tests.parity.sides import UNKNOWN

Made = Mapping[str, Any]
BOX = {"type": "container", "data": {"components": [TREE, EDITOR]}}


def with_root(data: Any, kind: object = "container", **more: Any) -> dict[str, Any]:
    return CONTENT | {"rootComponent": {"type": kind, "data": data} | more}


NEW_CONTENTS: list[Any] = [
    CONTENT,
    CONTENT | {"data": {"a": {}, "b": [{}, {"c": {}}], "d": 1e21}, "type": "lesson", "reward": 0.5},
    with_root({}, "quizz"),
    with_root({"orientation": "sideways", "components": [], "validators": None, "markdown": None}),
    with_root({"components": [TREE, BOX], "validators": [VALIDATOR]}),
    with_root({"editorSettings": {"languages": []}, "items": ["x"], "validators": []}, "editor"),
    with_root({"constructor": 1, "components": [MARKDOWN | {"toString": 2}]}),
    with_root({}, "mcq"), with_root({"components": [{"type": "", "data": {}}]}), with_root({"fields": []}),
    with_root({"components": [{"type": "markdown", "data": {}, "id": UNKNOWN}]}), with_root({"components": [1]}),
    with_root({"components": {}}), with_root({"components": [None]}), with_root({"validators": [{}]}),
    with_root({"validators": [VALIDATOR | {"weight": 1}]}), with_root({"validators": [VALIDATOR | {"input": {}}]}),
    with_root({"editorSettings": {"languages": [{"language": "C", "version": 1}]}}), with_root(None), with_root([]),
    with_root({"items": [1]}), with_root({}, kind=None), CONTENT | {"rootComponent": None}, CONTENT | {"data": []},
    {name: value for name, value in CONTENT.items() if name != "rootComponent"}, CONTENT | {"id": UNKNOWN},
    CONTENT | {"name": "ab", "description": None, "type": "question", "reward": -1}, CONTENT | {"reward": "5"}, [], {},
    [CONTENT], b"", b"null",
]  # fmt: skip


@pytest.mark.parametrize("body", NEW_CONTENTS)
def test_new_contents(lessons: Lessons, body: object) -> None:
    assert lessons.write_differs("/content", "POST", body) == ""


def root_of(made: Made) -> dict[str, Any]:
    root: dict[str, Any] = made["rootComponent"]
    return root


def put(made: Made, **data: Any) -> dict[str, Any]:
    """The tree as it is, but for the root's data."""
    root = root_of(made)
    return CONTENT | {"name": "Other", "data": {"new": 1}, "rootComponent": root | {"data": root["data"] | data}}


def parts(made: Made) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    markdown, editor = root_of(made)["data"]["components"]
    return markdown, editor, editor["data"]["validators"]


def with_tests(made: Made, *tests: Any) -> dict[str, Any]:
    _, editor, _ = parts(made)
    return editor | {"data": editor["data"] | {"validators": list(tests)}}


def changed_test(made: Made) -> dict[str, Any]:
    return parts(made)[2][0] | {"expected": {"stdout": []}, "isHidden": True}


CHANGES: dict[str, Any] = {
    "the same": lambda made: put(made),
    "no children": lambda made: put(made, components=[]),
    "children are null": lambda made: put(made, components=None),
    "other order": lambda made: put(made, components=root_of(made)["data"]["components"][::-1]),
    "one removed, one new": lambda made: put(made, components=[MARKDOWN, parts(made)[1]]),
    "all new below the root": lambda made: put(made, components=[TREE, EDITOR]),
    "a child twice": lambda made: put(made, components=[parts(made)[0]] * 2),
    "a test changed, one removed, one new": lambda made: put(
        made, components=[with_tests(made, VALIDATOR, changed_test(made))]
    ),
    "a child of another type": lambda made: put(made, components=[{**parts(made)[0], "type": "quizz", "data": {}}]),
    "a child becomes unknown": lambda made: put(made, components=[MARKDOWN, {**parts(made)[0], "type": "x"}]),
    "deeper": lambda made: put(made, components=[parts(made)[0], BOX]),
    "a new root": lambda made: CONTENT | {"rootComponent": TREE},
    "a new root with null": lambda made: CONTENT | {"rootComponent": TREE | {"id": None}},
    "another root": lambda made: CONTENT | {"rootComponent": TREE | {"id": UNKNOWN}},
    "a child as root": lambda made: CONTENT | {"rootComponent": parts(made)[0]},
    "an unknown child": lambda made: put(made, components=[MARKDOWN, MARKDOWN | {"id": UNKNOWN}]),
    "an unknown test": lambda made: put(made, components=[EDITOR, with_tests(made, VALIDATOR | {"id": UNKNOWN})]),
    "a test in the wrong place": lambda made: put(made, validators=[parts(made)[2][0]]),
    "no UUID": lambda made: put(made, components=[MARKDOWN | {"id": "x"}]),
    "a new root of no type": lambda made: CONTENT | {"rootComponent": TREE | {"type": "x"}},
    "no root": lambda made: CONTENT | {"rootComponent": None},
    "an id": lambda made: put(made) | {"id": made["id"]},
    "an answer sent back": lambda made: made,
    "nothing": lambda made: {},
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_replaced_contents(lessons: Lessons, change: str) -> None:
    assert lessons.write_differs("/content", "PUT", CHANGES[change], CONTENT) == ""


def test_deleted_contents_and_modules(lessons: Lessons) -> None:
    for target, made in (("/content", CONTENT), ("/module", MODULE)):
        assert lessons.write_differs(target, "DELETE", None, made) == ""
        assert lessons.differ("admin", f"{target}/{UNKNOWN}", "DELETE") == ""
    assert lessons.differ("admin", f"/content/{UNKNOWN}", "PUT", CONTENT | {"rootComponent": MARKDOWN}) == ""


@pytest.mark.parametrize("same", range(2))
def test_what_one_side_has_written_the_other_changes_and_deletes(lessons: Lessons, same: int) -> None:
    """Whole: no document stays."""
    before = lessons.documents()
    made = lessons.made("/content", CONTENT, side=same)
    other = 1 - same
    for body in (CHANGES["deeper"](made), CONTENT):
        answer = lessons.ask(other, "admin", f"/content/{made['id']}", "PUT", body)
        assert answer.status == 200, answer.body
        assert lessons.differ("user", f"/content/{made['id']}") == ""
    assert lessons.ask(same, "admin", f"/content/{made['id']}", "DELETE").status == 204
    assert lessons.documents() == before


NEW_MODULES: list[Any] = [
    {}, {"tags": [1, 2.5, 1e21, "x", -0.0]}, {"tags": [None]}, {"tags": [True]}, {"tags": [["x"]]}, {"tags": "x"},
    {"name": "ab"}, {"name": "x" * 31}, {"name": "ééé"}, {"reward": None}, {"reward": 2**53 + 2}, {"type": 1},
    {"data": None}, {"data": {"_id": "x"}}, {"modules": [UNKNOWN]}, {"modules": ["x", 1]}, {"contents": [UNKNOWN]},
    {"modules": [UNKNOWN], "contents": [UNKNOWN], "tags": [None]}, {"contents": [UNKNOWN], "tags": [None]},
    {"image": "x", "progress": 1}, {"id": UNKNOWN, "author": {}}, {"constructor": 1}, {"contents": None},
]  # fmt: skip


@pytest.mark.parametrize("fields", NEW_MODULES)
def test_new_modules(lessons: Lessons, fields: dict[str, Any]) -> None:
    assert lessons.write_differs("/module", "POST", MODULE | fields) == ""


def test_a_new_module_shows_the_store_s_ids(lessons: Lessons) -> None:
    names = lessons.names
    links = {"modules": [names["inner"], names["module"], names["inner"]], "contents": [names["other"]]}
    assert lessons.write_differs("/module", "POST", MODULE | links) == ""
    assert lessons.write_differs("/module", "POST", []) == ""


MODULE_CHANGES: list[Any] = [
    {}, [], {"contents": []}, {"contents": None}, {"contents": [], "name": None, "tags": None, "reward": None},
    {"contents": [], "modules": None, "data": None}, {"contents": [], "data": {"x": 1}, "type": "challenge"},
    {"contents": [], "tags": [7]}, {"contents": [], "tags": [None]}, {"modules": [UNKNOWN]}, {"contents": [UNKNOWN]},
    {"contents": [], "image": 1}, {"contents": [], "author": {}}, {"contents": [], "reward": "5"}, {"name": "Other"},
]  # fmt: skip


@pytest.mark.parametrize("change", MODULE_CHANGES)
def test_changed_modules(lessons: Lessons, change: object) -> None:
    links = {"modules": [lessons.names["module"]], "contents": [lessons.names["content"], lessons.names["other"]]}
    assert lessons.write_differs("/module", "PATCH", change, MODULE | links) == ""
    assert lessons.differ("admin", f"/module/{UNKNOWN}", "PATCH", change) == ""


def test_a_module_changed_in_full_shows_everything(lessons: Lessons) -> None:
    links = {"modules": [lessons.names["module"]], "contents": [lessons.names["content"], lessons.names["other"]]}
    assert lessons.write_differs("/module", "PATCH", MODULE | links | {"name": "Other"}, MODULE) == ""
    assert lessons.write_differs("/module", "PATCH", lambda made: MODULE | {"modules": [made["id"]]}, MODULE) == ""


def test_development_tells_which_rules_are_broken(lessons_in_development: Lessons) -> None:
    lessons = lessons_in_development
    for body in NEW_CONTENTS:
        assert lessons.write_differs("/content", "POST", body) == "", body
    for change in CHANGES.values():
        assert lessons.write_differs("/content", "PUT", change, CONTENT) == ""
    for fields in NEW_MODULES:
        assert lessons.write_differs("/module", "POST", MODULE | fields) == "", fields
