"""Directions of an order: without one, documents are sorted and tables are not."""

import pytest

from extracted.wire.listing import descends, order, sql_descends


@pytest.mark.parametrize(
    ("direction", "documents", "tables"),
    [
        ("asc", False, False),
        ("DESC", True, True),
        (None, False, None),
        ("", False, None),
        ("sideways", None, None),
        ("descending", True, None),
        ("Ascending", False, None),
        ("-1", True, None),
        ("1", False, None),
        ("0", None, None),
        (" asc", None, None),
        ("NULLS LAST", None, None),
        ("desc nulls last", None, None),
        ("desc; --", None, None),
    ],
)
def test_a_direction(direction: str | None, documents: bool | None, tables: bool | None) -> None:
    assert (descends(direction), sql_descends(direction)) == (documents, tables)


def test_a_key_that_comes_back_goes_to_the_end() -> None:
    keys = ("username", "points")
    assert order({"order-by": "points:desc,username:asc,points:asc"}, keys) == {"points": "asc", "username": "asc"}
    found = order({"order-by": "points:asc,points:null,username:asc,points:asc"}, keys)
    assert list((found or {}).items()) == [("username", "asc"), ("points", "asc")]
