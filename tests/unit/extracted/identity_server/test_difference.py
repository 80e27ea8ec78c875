"""What a realm lacks: pure."""

from typing import Any

import pytest

from extracted.identity_server.difference import NEW, Change, differences, merged

ROLES = [{"name": "guest", "id": "1", "description": "old"}, {"name": "of-ops", "id": "2"}]


@pytest.mark.parametrize(
    ("wanted", "found", "changes"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 2}, [Change("a", 2, 1)]),
        ({"a": {"b": False}}, {"a": {"c": 1}}, [Change("a b", None, False)]),
        ({"a": []}, {}, [Change("a", None, [])]),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, []),
        ({"a": ["x"]}, {"a": ["x", "*"]}, [Change("a", ["x", "*"], ["x"])]),
        ({"roles": [{"name": "guest", "description": "new"}]}, {"roles": ROLES},
         [Change("roles guest description", "old", "new")]),
        ({"roles": [{"name": "user"}]}, {"roles": ROLES}, [Change("roles user", None, NEW)]),
        ({"secret": "s3"}, {"secret": "s2"}, [Change("secret", "(secret)", "(secret)")]),
    ],
)  # fmt: skip
def test_what_is_missing_or_different(wanted: Any, found: Any, changes: list[Change]) -> None:
    assert list(differences(wanted, found)) == changes
    assert list(differences(wanted, merged(wanted, found))) == []


def test_what_is_not_named_stays() -> None:
    wanted = {"roles": [{"name": "guest", "description": "new"}], "attributes": {"ours": "1"}}
    assert merged(wanted, {"roles": ROLES, "attributes": {"theirs": "2"}, "enabled": True}) == {
        "roles": [ROLES[1], {"name": "guest", "id": "1", "description": "new"}],
        "attributes": {"theirs": "2", "ours": "1"},
        "enabled": True,
    }
