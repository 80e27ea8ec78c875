"""Places in a JSON document, read and looked up."""

import pytest

from strangler_gateway.table.json_path import Path, Wildcard, parse, parse_place, value_at

DOCUMENT = {"data": {"id": 7, "items": [{"id": "a"}, {"id": "b"}], "a b": 1, "x/y": 2, "0": 3}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$", ()),
        ("$.data.updatedAt", ("data", "updatedAt")),
        ("$.items[*].id", ("items", Wildcard.ELEMENT, "id")),
        ("$.items[12]", ("items", 12)),
        ("$.*.id", (Wildcard.MEMBER, "id")),
        ('$["a b"]["*"]', ("a b", "*")),
        ("$[0][*]", (0, Wildcard.ELEMENT)),
    ],
)
def test_a_path_is_read_step_by_step(text: str, path: Path) -> None:
    assert parse(text) == path


@pytest.mark.parametrize(
    "text", ["", "data.id", "$data", "$.", "$..id", "$.a[", "$.a[x]", "$.a[-1]", '$["a', "$.a b", "$ "]
)
def test_what_is_no_path_is_refused_with_the_place_of_the_fault(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|cannot be read"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.data.id", 7),
        ("/data/id", 7),
        ("/data/items/1/id", "b"),
        ("$.data.items[1].id", "b"),
        ("$.data.items[2].id", None),
        ("/data/items/-1", None),
        ("/data/a b", 1),
        ("/data/x~1y", 2),
        ("/data/0", 3),
        ("$.data.id.deeper", None),
        ("nothing", None),
        ("data", DOCUMENT["data"]),
    ],
)
def test_a_place_is_looked_up(text: str, value: object) -> None:
    assert value_at(DOCUMENT, parse_place(text)) == value


@pytest.mark.parametrize("text", ["$.items[*].id", "$.*"])
def test_one_place_has_no_wildcard(text: str) -> None:
    with pytest.raises(ValueError, match="without"):
        parse_place(text)
