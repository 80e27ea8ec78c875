"""Directions of an order: the table store and the document store know different words."""

import pytest

from extracted.wire.listing import descends, sql_descends


@pytest.mark.parametrize(
    ("direction", "documents", "tables"),
    [
        ("asc", False, False),
        ("DESC", True, True),
        (None, False, None),
        ("", False, None),
        ("1", False, None),
        ("descending", True, None),
        ("desc nulls last", None, True),
        ("NULLS FIRST", None, False),
        ("sideways", None, None),
        ("desc; --", None, None),
    ],
)
def test_a_direction(direction: str | None, documents: bool | None, tables: bool | None) -> None:
    assert (descends(direction), sql_descends(direction)) == (documents, tables)
