"""JSON as Node 16 reads and writes it."""

import math

import pytest

from examples.monolith.http.javascript import parse, stringify
from examples.monolith.http.v8_syntax import SyntaxFault, find_fault
from tests.support.monolith.json_texts import FAULTS, NUMBERS


@pytest.mark.parametrize(("text", "sentence"), FAULTS.items())
def test_text_that_is_no_json_is_refused_in_the_words_of_v8(text: str, sentence: str) -> None:
    with pytest.raises(SyntaxFault) as refused:
        find_fault(text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *NUMBERS,
        (math.inf, "null"),
        ([True, None, {"a": 'é\u2028\x00"\\'}], '[true,null,{"a":"é\u2028\\u0000\\"\\\\"}]'),
    ],
)
def test_a_value_is_written_as_json_stringify_writes_it(value: object, text: str) -> None:
    assert stringify(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [(r'["\ud83d\ude00"]', ["😀"]), (r'{"\uD83D":[1,"a\udc00"]}', {"\ufffd": [1, "a\ufffd"]}), ("[1]", [1]),
     ("[9007199254740993, 5.0, 1e2]", [9007199254740992, 5, 100])],
)  # fmt: skip
def test_a_value_is_read_as_node_reads_it(text: str, value: object) -> None:
    assert parse(text) == value
