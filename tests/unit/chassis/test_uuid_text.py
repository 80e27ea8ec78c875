"""Which texts are UUIDs to PostgreSQL, and their one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.uuid_text import canonical_uuid

CANONICAL = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


@pytest.mark.parametrize(
    "spelling",
    [
        CANONICAL.upper(),
        "{" + CANONICAL + "}",
        CANONICAL.replace("-", ""),
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    ],
)
def test_every_spelling_that_postgresql_reads_is_the_same_id(spelling: str) -> None:
    assert canonical_uuid(spelling) == CANONICAL


@pytest.mark.parametrize(
    "text",
    ["", "abc", "{" + CANONICAL, CANONICAL + "}", f" {CANONICAL}", f"urn:uuid:{CANONICAL}", CANONICAL + "\n",
     CANONICAL[1:], CANONICAL + "0", "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11", "-" + CANONICAL, CANONICAL + "-",
     "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\uff10" + CANONICAL[1:]],
)  # fmt: skip
def test_everything_else_is_no_id(text: str) -> None:
    assert canonical_uuid(text) is None


@given(st.uuids().map(str))
def test_a_uuid_of_any_version_is_its_own_canonical_form(text: str) -> None:
    assert canonical_uuid(text) == text
