"""Query strings and forms are read as the `qs` package reads them."""

import pytest

from examples.monolith.querystring import TooManyParameters, parse_query


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=x+y%20z", {"a": "x y z"}),
        ("a=%zz&b=%FF", {"a": "%zz", "b": "%FF"}),
        ("a=1&a=2", {"a": ["1", "2"]}),
        ("a[]=1", {"a": ["1"]}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[0]=1&a[1]=2", {"a": ["1", "2"]}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a=1&a[b]=2", {"a": {"0": "1", "b": "2"}}),
        ("a%5Bb%5D=1", {"a": {"b": "1"}}),
        ("&&a=1&", {"a": "1"}),
    ],
)
def test_repeats_and_brackets_make_lists_and_objects(text: str, value: object) -> None:
    assert parse_query(text) == value


def test_a_long_query_is_cut_and_a_long_form_refused() -> None:
    text = "&".join(f"k{n}=1" for n in range(1001))
    assert len(parse_query(text)) == 1000
    with pytest.raises(TooManyParameters):
        parse_query(text, 1000)
