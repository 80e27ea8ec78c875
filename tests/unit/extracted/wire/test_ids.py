"""Which texts are ids: to the validator, and to PostgreSQL."""

import pytest

from extracted.wire.ids import canonical_uuid, is_uuid

ID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
OF_ANY_VERSION = "a0eebc99-9c0b-0ef8-0b6d-6bb9bd380a11"


@pytest.mark.parametrize("text", [ID, ID.upper(), OF_ANY_VERSION, "0" * 8 + "-0000-0000-0000-" + "0" * 12])
def test_a_uuid_of_any_version_and_case_is_one_to_both(text: str) -> None:
    assert is_uuid(text)
    assert canonical_uuid(text) == text.lower()


@pytest.mark.parametrize("text", [ID.replace("-", ""), "{" + ID + "}", ID.replace("-", "", 1)])
def test_other_spellings_are_ids_to_postgresql_alone(text: str) -> None:
    assert not is_uuid(text)
    assert canonical_uuid(text) == ID


@pytest.mark.parametrize(
    "text", ["", "abc", "@me", ID + "\n", " " + ID, ID[:-1], ID + "0", "{" + ID, "\uff10" + ID[1:]]
)
def test_everything_else_is_none_to_either(text: str) -> None:
    assert not is_uuid(text)
    assert canonical_uuid(text) is None
