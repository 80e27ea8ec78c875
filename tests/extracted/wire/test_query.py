"""Query strings mean what they mean to Express: brackets nest, repeats become lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extracted.wire.query import Query, as_string, decode, parse

QUERIES: dict[str, Query] = {
    "": {},
    "a=b": {"a": "b"},
    "a": {"a": ""},
    "a=": {"a": ""},
    "=b&&": {},
    "a=b=c": {"a": "b=c"},
    "a=1&a=2&a=3": {"a": ["1", "2", "3"]},
    "a[]=1": {"a": ["1"]},
    "a[]=1&a[]=2": {"a": ["1", "2"]},
    "a=1&a[]=2": {"a": ["1", "2"]},
    "a[]=1&a=2": {"a": ["1", "2"]},
    "a[0]=1&a[1]=2": {"a": ["1", "2"]},
    "a[21]=1": {"a": {"21": "1"}},
    "a[01]=1": {"a": {"01": "1"}},
    "a[b]=1": {"a": {"b": "1"}},
    "a[b]=1&a[c][]=2": {"a": {"b": "1", "c": ["2"]}},
    "a[b]=1&a=c": {"a": {"b": "1", "c": True}},
    "a[]=1&a[b]=2": {"a": {"0": "1", "b": "2"}},
    "a[b]=1&a[]=2": {"a": {"b": "1", "0": "2"}},
    "a[b][c][d][e][f][g]=x": {"a": {"b": {"c": {"d": {"e": {"f": {"[g]": "x"}}}}}}},
    "[a]=1": {"a": "1"},
    "a%5B%5D=1": {"a": ["1"]},
    "a+b=c+d%2B": {"a b": "c d+"},
    "a=%zz": {"a": "%zz"},
    "a=%zz+b": {"a": "%zz b"},
    "a=%C3": {"a": "%C3"},
    "a=%ED%A0%80": {"a": "%ED%A0%80"},
    "a=%C3%A9": {"a": "é"},
    "a=\u00e9": {"a": "\u00e9"},
    "__proto__=1": {"__proto__": "1"},
}


@pytest.mark.parametrize(("text", "query"), QUERIES.items())
def test_what_a_query_means(text: str, query: Query) -> None:
    assert parse(text) == query


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
