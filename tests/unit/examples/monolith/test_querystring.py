"""Query strings and forms are read as the `qs` package reads them."""

import pytest

from examples.monolith.http.javascript import stringify
from examples.monolith.http.querystring import TooManyParameters, parse_form, parse_query
from tests.support.monolith.query_strings import FORMS, QUERIES


@pytest.mark.parametrize(("text", "value"), QUERIES.items())
def test_repeats_and_brackets_make_lists_and_objects(text: str, value: str) -> None:
    assert stringify(parse_query(text)) == value


@pytest.mark.parametrize(("text", "value"), FORMS.items())
def test_a_form_nests_deeper_and_has_longer_lists(text: str, value: str) -> None:
    assert stringify(parse_form(text)) == value


def test_a_long_query_is_cut_and_a_long_form_refused() -> None:
    text = "&".join(f"k{n}=1" for n in range(1001))
    assert len(parse_query(text)) == 1000
    with pytest.raises(TooManyParameters):
        parse_form(text)
