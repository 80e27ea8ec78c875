"""Numbers and texts as JSON.stringify writes them."""

import math

import pytest

from examples.monolith.http.javascript import parse, stringify


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (123456789012345678901, "123456789012345680000"),
        (1e21, "1e+21"),
        (5e-324, "5e-324"),
        (-0.0, "0"),
        (math.inf, "null"),
        ([True, None, {"a": 'é\u2028\x00"\\'}], '[true,null,{"a":"é\u2028\\u0000\\"\\\\"}]'),
    ],
)
def test_a_value_is_written_as_json_stringify_writes_it(value: object, text: str) -> None:
    assert stringify(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [(r'["\ud83d\ude00"]', ["😀"]), (r'{"\uD83D":[1,"a\udc00"]}', {"\ufffd": [1, "a\ufffd"]}), ("[1]", [1])],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(text: str, value: object) -> None:
    assert parse(text) == value


def test_a_number_is_read_as_a_double() -> None:
    assert parse("[9007199254740993, 5.0, 1e2]") == [9007199254740992, 5, 100]
