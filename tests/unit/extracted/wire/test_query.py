"""Query strings mean what they mean to Express: brackets nest, repeats become lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extracted.wire.jsontext import stringify
from extracted.wire.query import as_string, decode, parse
from tests.support.monolith.query_strings import QUERIES


@pytest.mark.parametrize(("text", "query"), QUERIES.items())
def test_what_a_query_means(text: str, query: str) -> None:
    assert stringify(parse(text)).decode() == query


def test_only_the_first_thousand_parameters_count() -> None:
    assert parse("&".join(f"p{number}=x" for number in range(1001))).keys() == {f"p{number}" for number in range(1000)}


@given(st.text(st.characters(max_codepoint=255), max_size=60) | st.text("[]=&a0%", max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    for value in parse(text).values():
        assert isinstance(as_string(value), str)


@given(st.text())
def test_decoding_undoes_encoding(text: str) -> None:
    assert decode("".join(f"%{byte:02X}" for byte in text.encode())) == text


@pytest.mark.parametrize("text", ["%", "%2", "%zz", "%C3", "%ED%A0%80", "%F8%80%80%80", "a%C3%28"])
def test_what_decodeuricomponent_throws_on_has_no_value(text: str) -> None:
    assert decode(text) is None
