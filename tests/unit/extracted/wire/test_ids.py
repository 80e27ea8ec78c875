"""Which texts are UUIDs to the monolith's validator."""

import pytest

from extracted.wire.ids import is_uuid

ID = "a0eebc99-9c0b-0ef8-0b6d-6bb9bd380a11"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *((text, True) for text in (ID, ID.upper(), "0" * 8 + "-0000-0000-0000-" + "0" * 12)),
        *((text, False) for text in (ID.replace("-", ""), "{" + ID + "}", ID.replace("-", "", 1))),
        *((text, False) for text in ("", "@me", ID + "\n", " " + ID, ID[:-1], ID + "0", "\uff10" + ID[1:])),
    ],
)
def test_a_uuid_has_any_version_either_case_and_four_dashes(text: str, is_one: bool) -> None:
    assert is_uuid(text) == is_one
