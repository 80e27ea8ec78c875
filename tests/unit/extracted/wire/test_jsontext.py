"""JSON text is what JSON.stringify writes."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extracted.wire.jsontext import parse, stringify
from tests.support.monolith.json_texts import NUMBERS


@pytest.mark.parametrize(("number", "text"), [*NUMBERS, *((n, "null") for n in (math.nan, math.inf, -math.inf))])
def test_numbers_are_written_as_javascript_does(number: float, text: str) -> None:
    assert stringify(number) == text.encode()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_as_it_was(number: float) -> None:
    assert float(stringify(number)) == number


def test_text_is_utf8_with_the_escapes_that_it_needs() -> None:
    assert stringify('é✓\u2028\U0001f600"\\/\b\f\n\r\t\x00\x1f\x7f') == (
        'é✓\u2028\U0001f600\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f'.encode().join([b'"', b'"'])
    )


def test_keys_keep_their_order_nothing_is_between_and_half_a_pair_is_an_escape() -> None:
    assert stringify("a\ud83db") == b'"a\\ud83db"'
    value: object = {"b": [1, True, None, {}], "a": [], "é": ("x",)}
    assert stringify(value) == '{"b":[1,true,null,{}],"a":[],"é":["x"]}'.encode()

    with pytest.raises(TypeError, match="set"):
        stringify({"a": {1}})


JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(JSON)
def test_any_value_is_read_back_as_it_was(value: object) -> None:
    assert json.loads(stringify(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, -0.5, 1e3, 12345678901234567890]", [1, -0.5, 1000, 1.2345678901234567e19]),
        ('{"a": 1, "b": null, "a": true}', {"a": True, "b": None}),
        (r'["\ud83d\ude00", "\ud83d", "x\ude00y"]', ["\U0001f600", "�", "x�y"]),
        ('{"\\udfff": {"a": ["\\ud800"]}}', {"�": {"a": ["�"]}}),
        ("[" * 100 + "]" * 100, eval("[" * 100 + "]" * 100)),
        ("[" * 50_000 + "]" * 50_000, ()),
        (f"[{'9' * 5000}]", [float("inf")]),
    ],
)
def test_text_is_read_as_javascript_reads_it(text: str, value: object) -> None:
    assert parse(text) == value
