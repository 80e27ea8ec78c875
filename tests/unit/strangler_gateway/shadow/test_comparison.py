"""When two answers are the same to a client, and what is told where they are not."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.http.content_coding import TooLarge, Undecodable, decodable, decode
from strangler_gateway.shadow.comparison import Rules, Seen, compare, persisting
from strangler_gateway.shadow.json_compare import MAX_DIFFERENCES, Difference
from strangler_gateway.table.routes import ShadowRules

JSON = [(b"Content-Type", b"application/json")]
ONE_MORE = "array(3), 1 of them only here"


def seen(value: Any, status: int = 200, fields: list[tuple[bytes, bytes]] | None = None) -> Seen:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Seen(status, JSON if fields is None else fields, body)


def found(legacy: Any, extracted: Any, **rules: Any) -> list[tuple[str, str, str]]:
    differences = compare(seen(legacy), seen(extracted), Rules(ShadowRules(**rules)))
    return [(d.where, d.legacy, d.extracted) for d in differences]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False).map(lambda x: x + 0.0) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_equal_values_never_differ_however_they_are_written(value: Any) -> None:
    written = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert compare(seen(value), seen(written), Rules(ShadowRules())) == ()


@given(json_values, json_values)
def test_different_values_always_differ_unless_they_are_ignored(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (found(one, other) == []) is same
    assert found(one, other, ignore=("$",)) == []


@given(st.lists(json_values, max_size=6).flatmap(lambda values: st.tuples(st.just(values), st.permutations(values))))
def test_an_unordered_array_may_come_in_any_order(pair: tuple[list[Any], list[Any]]) -> None:
    assert found(*pair, unordered=("$",)) == []


@pytest.mark.parametrize(
    ("legacy", "extracted", "rules", "expected"),
    [
        ({"a": 1}, {"a": 2}, {}, [("$.a", "integer", "integer")]),
        ({"a": 1}, {"a": "1"}, {}, [("$.a", "integer", "string")]),
        ({"a": 1}, {"a": 1.0}, {}, [("$.a", "integer", "number")]),
        ({"a": 1}, {"a": True}, {}, [("$.a", "integer", "boolean")]),
        ({"a": None}, {}, {}, [("$.a", "null", "absent")]),
        ({}, {"a": None}, {}, [("$.a", "absent", "null")]),
        ({"a": {"b": []}}, {"a": {"b": {}}}, {}, [("$.a.b", "array(0)", "object")]),
        ([1, 2, 3], [1, 2], {}, [("$", "array(3)", "array(2)")]),
        ([{"x": 1}, {"x": 2}], [{"x": 1}, {"x": 3}], {}, [("$[1].x", "integer", "integer")]),
        ({"a b": 1}, {"a b": 2}, {}, [('$["a b"]', "integer", "integer")]),
        ([1, 2], [2, 1], {}, [("$", "array(2)", "array(2), in another order")]),
        ([1, 2], [2, 2], {}, [("$[0]", "integer", "integer")]),
        ([1, 2], [3, 4], {"ignore": ("$[0]",)}, [("$[1]", "integer", "integer")]),
        ({"a": [1, 2, 2]}, {"a": [2, 1, 4]}, {"unordered": ("$.a",)}, [("$.a", ONE_MORE, ONE_MORE)]),
    ],
)
def test_a_difference_is_told_by_its_place_and_types(
    legacy: Any, extracted: Any, rules: dict[str, Any], expected: Any
) -> None:
    assert found(legacy, extracted, **rules) == expected


@pytest.mark.parametrize(
    "ignore",
    [
        ("$.data[*].at", "$.took"),
        ("$.data[0].at", "$.data[1].at", "$.took"),
        ("$.*[*].at", "$.took"),
        ("$.data", "$.took"),
        ('$["data"][*]["at"]', "$.took"),
    ],
)
def test_ignored_places_do_not_count(ignore: tuple[str, ...]) -> None:
    one = {"data": [{"id": 1, "at": "x"}, {"id": 2, "at": "y"}], "took": 1}
    other = {"data": [{"id": 1, "at": "z"}, {"id": 2}], "took": None}
    assert found(one, other, ignore=ignore) == []


def test_order_is_free_at_each_level_that_says_so_and_what_is_ignored_stays_so() -> None:
    one = [{"tags": ["x", "y"], "at": 1}, {"tags": [], "at": 2}]
    other = [{"tags": [], "at": 3}, {"tags": ["y", "x"], "at": 4}]
    assert found(one, other, unordered=("$", "$[*].tags"), ignore=("$[*].at",)) == []
    assert found(one, other, unordered=("$",), ignore=("$[*].at",)) != []


def test_the_status_and_chosen_headers_in_any_letters_count() -> None:
    one = seen({}, fields=[(b"ETag", b'"1"'), (b"Date", b"now"), (b"VARY", b"Accept"), *JSON])
    html = (b"content-type", b"text/html")
    other = seen({}, 404, [(b"etag", b'"2"'), (b"Date", b"later"), (b"vary", b"Accept"), (b"Location", b"/x"), html])
    differences = compare(one, other, Rules(ShadowRules()))
    assert {(d.where, d.legacy, d.extracted) for d in differences} == {
        ("status", "200", "404"),
        ("header location", "absent", "present"),
        ("header etag", "present", "present"),
        ("header content-type", "application/json", "text/html"),
    }


@pytest.mark.parametrize(
    ("legacy", "extracted"),
    [(b"<p>a</p>", b"<p>b</p>"), (b"", b"{}"), (b"[" * 50_000, b"[" * 50_001), (b"\xff", b"\xfe"), (b"{", b'{"a":1}')],
)
def test_what_is_not_json_is_compared_by_bytes(legacy: bytes, extracted: bytes) -> None:
    [difference] = found(legacy, extracted)
    assert difference[0] == "body"
    assert difference[1] == f"{len(legacy)} bytes"


def test_values_are_shown_only_where_it_is_allowed() -> None:
    secret, other = {"email": "alice@example.org"}, {"email": "x" * 500}
    hidden = compare(seen(secret), seen(other), Rules(ShadowRules()))
    assert "alice" not in repr(hidden)
    [shown] = compare(seen(secret), seen(other), Rules(ShadowRules(show_values=True)))
    assert shown.legacy == 'string "alice@example.org"'
    assert len(shown.extracted) < 250


def test_differences_are_capped() -> None:
    many = {str(n): n for n in range(1_000)}
    assert len(found(many, {})) == MAX_DIFFERENCES
    assert len(found(list(range(1_000)), list(range(1, 1_001)))) == MAX_DIFFERENCES


@pytest.mark.parametrize(
    ("legacy", "extracted", "rules", "names"),
    [
        ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}, {}, ["type $.a[*].b"]),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {}, ["missing $.a", "value $.b", "extra $.c"]),
        ([{"x": 1}, {"x": 2}], [{"x": 2}, {"x": 1}], {}, ["order $"]),
        ([1, 2, 3], [1, 2], {}, ["missing $"]),
        ([1], [1, 2], {}, ["extra $"]),
        ([1, 2, 2], [2, 1, 4], {"unordered": ("$",)}, ["value $"]),
        ([1], [1, 2], {"unordered": ("$",)}, ["extra $"]),
        (b"<p>", b"<b>", {}, ["value body"]),
    ],
)
def test_a_difference_has_a_kind(legacy: Any, extracted: Any, rules: dict[str, Any], names: list[str]) -> None:
    differences = compare(seen(legacy), seen(extracted), Rules(ShadowRules(**rules)))
    assert [difference.name for difference in differences] == names


def test_nothing_that_a_terminal_would_obey_is_told() -> None:
    odd = {"\x1b[31m\u202e\ud800" * 50: "\x1b[2J"}
    [(where, legacy, extracted)] = found(odd, {}, show_values=True)
    assert (where + legacy + extracted).isprintable()
    assert len(where) < 1_000


def test_a_difference_persists_where_its_place_is_the_same() -> None:
    first = [Difference("$.a[3].x", "", ""), Difference("status", "", "")]
    second = [Difference("$.a[0].x", "", ""), Difference("$.b", "", "")]
    assert persisting(first, second) == (second[0],)


def encoded(coding: str) -> list[tuple[bytes, bytes]]:
    return [(b"Content-Encoding", coding.encode())]


PACKED = gzip.compress(b"text", mtime=0)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (PACKED, "gzip"),
        (PACKED, "X-GZip"),
        (zlib.compress(b"text"), "deflate"),
        (b"text", "identity"),
        (b"text", ""),
        (zlib.compress(PACKED), "gzip, deflate"),
    ],
)
def test_content_codings_are_undone(body: bytes, coding: str) -> None:
    assert decodable(encoded(coding))
    assert decode(body, encoded(coding), 100) == b"text"
    assert decode(b"", encoded("br"), 100) == b""  # no body needs no decoding


@pytest.mark.parametrize(
    ("body", "coding"),
    [(b"x", "br"), (b"not gzip", "gzip"), (PACKED[:-4], "gzip"), (b"x", "gzip," * 9 + "gzip")],
)
def test_what_cannot_be_decoded_is_told(body: bytes, coding: str) -> None:
    with pytest.raises(Undecodable):
        decode(body, encoded(coding), 100)


def test_a_decompression_bomb_does_not_go_off() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(TooLarge):
        decode(bomb, encoded("gzip"), 1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
