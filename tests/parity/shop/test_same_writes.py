"""The shop and the stand-in monolith: the same answers and the same documents for writes of items."""

import json
import re
import secrets
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.sides import ACTORS, FORM, JSON, UNKNOWN, Sides, difference, without_ids
from tests.support.connected import expect_lost_updates
from tests.support.effort import examples
from tests.unit.extracted.running import Answer

GOOD = {"cost": 10, "type": "hint", "data": {"text": "a hint"}}
WRITES = [("POST", "/item"), ("PATCH", f"/item/{UNKNOWN}"), ("DELETE", f"/item/{UNKNOWN}"), ("GET", "/transactions")]
ORIGIN = {"Origin": "https://polycode.do-2021.fr"}


def text(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def deep(levels: int) -> bytes:
    return b'{"cost":1,"type":"hint","data":{"text":"x","more":' + b"[" * levels + b"]" * levels + b"}}"


BODIES: dict[str, bytes] = {
    "good": text(**GOOD), "the other type": text(**GOOD | {"type": "validator"}), "cost alone": text(cost=12),
    "type alone": text(type="validator"), "data alone": text(data={"text": "new"}), "nothing": b"{}",
    "null": b"null", "no cost": text(type="hint", data={"text": ""}), "no text": text(**GOOD | {"data": {}}),
    "an empty text": text(**GOOD | {"data": {"text": ""}}),
    "a text that is none": text(**GOOD | {"data": {"text": 5}}),
    "a text of null": text(**GOOD | {"data": {"text": None}}), "a property too many": text(**GOOD, id=UNKNOWN),
    "MongoDB's own fields": text(**GOOD, _id="x", __v=1),
    "a property too many in data": text(**GOOD | {"data": {"text": "x", "more": 1}}),
    "operators": b'{"$set":{"cost":0},"data":{"$text":"x"}}', "dots": b'{"data.text":"x"}',
    "__proto__": b'{"__proto__":{"cost":1},"cost":1,"type":"hint","data":{"text":"x"}}',
    "what every object has": text(**GOOD | {"toString": "a", "data": {"text": "x", "valueOf": 1}}, constructor=None),
    "cost is null": text(**GOOD | {"cost": None}), "type is null": text(**GOOD | {"type": None}),
    "data is null": text(**GOOD | {"data": None}), "cost as text": text(**GOOD | {"cost": "5"}),
    "cost as a list": text(**GOOD | {"cost": [5]}), "cost as a boolean": text(**GOOD | {"cost": True}),
    "cost of 0": text(**GOOD | {"cost": 0}), "cost of -0": b'{"cost":-0,"type":"hint","data":{"text":"x"}}',
    "cost below 0": text(**GOOD | {"cost": -1}),
    "cost just below 0": b'{"cost":-1e-300,"type":"hint","data":{"text":"x"}}',
    "a fractional cost": text(**GOOD | {"cost": 1.5}), "a small cost": text(**GOOD | {"cost": 1e-7}),
    "a cost beyond 32 bits": text(**GOOD | {"cost": 2**31}),
    "a cost beyond what a double counts": text(**GOOD | {"cost": 2**53 + 1}),
    "a cost with an exponent": text(**GOOD | {"cost": 1e21}),
    "the largest cost": b'{"cost":1.7976931348623157e308,"type":"hint","data":{"text":"x"}}',
    "a cost beyond every double": b'{"cost":1e999,"type":"hint","data":{"text":"x"}}',
    "a cost of many digits": b'{"cost":' + b"9" * 400 + b',"type":"hint","data":{"text":"x"}}',
    "a type that is none": text(**GOOD | {"type": "x"}), "a type in capitals": text(**GOOD | {"type": "HINT"}),
    "a type as a list": text(**GOOD | {"type": ["hint"]}), "data as text": text(**GOOD | {"data": "text"}),
    "data as a list": text(**GOOD | {"data": [{"text": "x"}]}), "a list": b"[]",
    "a list of items": b"[" + text(**GOOD) + b"]", "100 levels deep": deep(100), "40,000 levels deep": deep(40_000),
    "100 levels in a list": b"[" * 100 + b"]" * 100,
    "keys that repeat": b'{"cost":-1,"cost":2,"type":"hint","data":{"text":"a"},"data":{"text":"b","text":"c"}}',
    "a bad value that is overridden": b'{"cost":-1,"cost":2,"type":"hint","data":{"text":"c"}}',
    "a good value that is overridden": b'{"cost":2,"cost":-1,"type":"hint","data":{"text":"c"}}',
    "NUL in text": text(**GOOD | {"data": {"text": "a\0b"}}), "NUL in a name": text(**GOOD, **{"a\0b": 1}),
    "half a surrogate pair": b'{"cost":1,"type":"hint","data":{"text":"a\\ud800b"}}',
    "the other half": b'{"cost":1,"type":"hint","data":{"text":"\\udc00\\ud800"}}',
    "a pair": b'{"cost":1,"type":"hint","data":{"text":"\\ud83d\\ude00"}}',
    "line separators": text(**GOOD | {"data": {"text": "\u2028\u2029\u007f\u0085<script>\\\"/"}}),
    "no UTF-8": b'{"cost":1,"type":"hint","data":{"text":"\xff\xfe"}}',
    "a byte order mark": b"\xef\xbb\xbf" + text(**GOOD), "NaN": b'{"cost":NaN,"type":"hint","data":{"text":"x"}}',
    "a comma too many": b'{"cost":1,}', "no JSON": b"{bad", "a lone text": b'"text"', "white space": b" \n ",
    "empty": b"",
    "100 kB": text(**GOOD | {"data": {"text": "x" * (102_400 - len(text(**GOOD | {"data": {"text": ""}})))}}),
    "more than 100 kB": text(**GOOD | {"data": {"text": "x" * 102_400}}),
}  # fmt: skip
FORMS = [
    b"cost=5&type=hint&data[text]=x", b"type=validator&data[text]=a+b%00%C3%A9", b"type=validator",
    b"type=hint&type=validator", b"data[text]=x&data[text]=y", b"data[text][]=x", b"data[]=x", b"data=x",
    b"data[text]=&data[more]=1", b"", b"cost=", b"type[]=hint",
]  # fmt: skip


def created(sides: Sides, answer: Answer) -> dict[str, Any] | None:
    """The document that a 201 created, without its ids; their form is checked here."""
    if answer.status != 201:
        return None
    item_id = json.loads(answer.body)["data"]["id"]
    document = sides.file.item(item_id)
    assert document is not None
    assert list(document) == ["_id", "cost", "type", "data", "id", "__v"]
    assert uuid.UUID(document.pop("id")) == uuid.UUID(item_id)
    assert uuid.UUID(item_id).version == 4
    assert re.fullmatch("[0-9a-f]{24}", document.pop("_id")["$oid"])
    return document


def differ_in_creating(sides: Sides, headers: dict[str, str], body: bytes) -> str:
    legacy = sides.ask_monolith("admin", "/item", "POST", headers, body)
    extracted = sides.ask_shop("admin", "/item", "POST", headers, body)
    assert created(sides, legacy) == created(sides, extracted)
    return difference(without_ids(legacy), without_ids(extracted))


def differ_in_writing(sides: Sides, method: str, headers: dict[str, str], body: bytes) -> str:
    """Each side writes the same item, which is reset in between and has a field that neither knows."""
    item, found = str(uuid.uuid4()), []
    for ask in (sides.ask_monolith, sides.ask_shop):
        sides.file.add_item(item, cost=3, sold=[1, {"a": 1e21}], __v=4)
        found.append((ask("admin", f"/item/{item}", method, headers, body), sides.file.item(item)))
        sides.file.remove_item(item)
    (legacy, document), (extracted, other) = found
    for left in (document, other):
        if left is not None:
            left.pop("_id")  # every insertion has its own
    assert document == other
    return difference(legacy, extracted)


@pytest.mark.parametrize("name", BODIES)
def test_an_item_is_created_or_refused_alike(sides: Sides, name: str) -> None:
    assert differ_in_creating(sides, JSON, BODIES[name]) == ""


@pytest.mark.parametrize("name", BODIES)
def test_an_item_is_changed_or_left_alike(sides: Sides, name: str) -> None:
    assert differ_in_writing(sides, "PATCH", JSON, BODIES[name]) == ""


@pytest.mark.parametrize("body", FORMS)
def test_forms_are_read_alike(sides: Sides, body: bytes) -> None:
    assert differ_in_creating(sides, FORM, body) == ""
    assert differ_in_writing(sides, "PATCH", FORM, body) == ""


@pytest.mark.parametrize("name", BODIES)
def test_development_mode_tells_the_same_faults(sides_in_development: Sides, name: str) -> None:
    assert differ_in_creating(sides_in_development, JSON, BODIES[name]) == ""
    assert differ_in_writing(sides_in_development, "PATCH", JSON, BODIES[name]) == ""


@pytest.mark.parametrize("body", [b"", b"{}", b"{bad", b'{"cost":1}', b"x" * 102_401])
def test_an_item_is_deleted_alike_whatever_body_comes_along(sides: Sides, body: bytes) -> None:
    assert differ_in_writing(sides, "DELETE", JSON, body) == ""


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize(("method", "target"), WRITES)
@pytest.mark.parametrize("body", [b"{}", text(cost=-1), b"{bad"])
def test_guards_come_between_parsing_and_rules(sides: Sides, actor: str, method: str, target: str, body: bytes) -> None:
    if actor != "admin" or method != "POST":
        assert sides.differ(actor, target, method, JSON, body) == ""


@pytest.mark.parametrize("item", ["abc", "%00", "a%20b", UNKNOWN, "%7B" + UNKNOWN + "%7D", "x" * 500])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_what_names_no_item_is_not_found_on_either(sides: Sides, method: str, item: str) -> None:
    assert sides.differ("admin", f"/item/{item}", method, JSON, text(cost=1)) == ""


@pytest.mark.parametrize(
    "query",
    ["", "limit=1", "limit=1&page=2", "page=9", "limit=0&page=0", "limit=101", "limit=-1", "page=-1", "page=abc",
     "limit[]=2", "order-by=id:desc", "order-by[]=x", "order-by=x:sideways", "userId=x", "page=99999999999999999999",
     "page=922337203685477581", "page=1e3", f"page={2**63}&limit=1", "limit=100&limit=1"],
)  # fmt: skip
def test_transactions_are_listed_alike(sides: Sides, query: str) -> None:
    for method in ("GET", "HEAD"):
        assert sides.differ("admin", f"/transactions?{query}", method) == ""
    assert sides.differ("user", f"/transactions?{query}") == ""


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8),
    st.sampled_from(["hint", "validator", {"text": "x"}, {}]), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["text", "more"]), st.one_of(st.text(max_size=8), st.integers()), max_size=2),
)  # fmt: skip
NAMES = st.sampled_from(["cost", "type", "data", "data", "id", "text"])


@settings(max_examples=examples(50), deadline=None)
@given(body=st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_change(sides: Sides, body: dict[str, object]) -> None:
    assert differ_in_writing(sides, "PATCH", JSON, json.dumps(body).encode()) == ""


@settings(max_examples=examples(50), deadline=None)
@given(
    cost=st.one_of(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.integers(0), VALUES),
    kind=st.sampled_from(["hint", "validator", "x", None]),
    data=st.one_of(st.fixed_dictionaries({"text": st.text(max_size=20)}), VALUES),
)
def test_any_new_item(sides: Sides, cost: object, kind: object, data: object) -> None:
    assert differ_in_creating(sides, JSON, text(cost=cost, type=kind, data=data)) == ""


def test_what_one_side_writes_the_other_reads(sides: Sides) -> None:
    for write, read in ((sides.ask_monolith, sides.ask_shop), (sides.ask_shop, sides.ask_monolith)):
        item = json.loads(write("admin", "/item", "POST", JSON, text(**GOOD)).body)["data"]["id"]
        before = sides.file.item(item)
        seen = [read("admin", f"/item/{item}", "GET")]
        changed = write("admin", f"/item/{item}", "PATCH", JSON, text(cost=11))
        seen.append(read("admin", f"/item/{item}", "GET"))
        assert (seen[1].body, sides.file.item(item)) == (changed.body, (before or {}) | {"cost": 11})
        assert write("admin", f"/item/{item}", "DELETE").status == 200
        seen.append(read("admin", f"/item/{item}", "GET"))
        assert [answer.status for answer in seen] == [200, 200, 404]


def test_changes_at_once_on_both_sides_lose_no_field(sides: Sides) -> None:
    expect_lost_updates(sides.file.documents_url)
    item = sides.file.add_item()

    def change(ask: Any, **fields: object) -> int:
        answer: Answer = ask("admin", f"/item/{item}", "PATCH", JSON, text(**fields))
        return answer.status

    with ThreadPoolExecutor(3) as pool:
        for cost in range(30):
            mark = secrets.token_hex(4)
            under_way = [
                pool.submit(change, sides.ask_shop, cost=cost),
                pool.submit(change, sides.ask_monolith, data={"text": mark}),
                pool.submit(change, sides.ask_shop, type=("hint", "validator")[cost % 2]),
            ]
            assert [one.result() for one in under_way] == [200, 200, 200]
            left = sides.file.item(item)
            assert left is not None
            wanted = (cost, {"text": mark}, ("hint", "validator")[cost % 2])
            assert (left["cost"], left["data"], left["type"]) == wanted
