"""Bodies are held to their rules, with class-validator's words."""

import pytest

from extracted.wire.validation import STRING, faults, length, one_of, optional, refusal, required

SHAPE = {"name": required(STRING, *length(3, 5)), "language": optional(one_of(("en", "fr")))}
LONG = "name must be shorter than or equal to 5 characters"
SHORT = "name must be longer than or equal to 3 characters"
NO_TEXT = "name must be a string"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "abc"}, []),
        ({"name": "abcde", "language": "fr"}, []),
        ({"name": "abc", "language": None}, []),
        ({"name": "\U0001f600" * 5}, []),
        ({"name": "ab"}, [SHORT]),
        ({"name": "abcdef"}, [LONG]),
        ({}, [NO_TEXT, SHORT, LONG]),
        ({"name": None}, [NO_TEXT, SHORT, LONG]),
        ({"name": ["abc"]}, [NO_TEXT, SHORT, LONG]),
        ({"name": 12345}, [NO_TEXT, SHORT, LONG]),
        ({"name": "abc", "language": "de"}, ["language must be one of the following values: en, fr"]),
        ({"name": "abc", "language": ["en"]}, ["language must be one of the following values: en, fr"]),
        ({"y": 1, "name": "ab", "x": 2}, ["property y should not exist", "property x should not exist", SHORT]),
        ([], ["unknown value was passed to the validate function"]),
        ((), ["unknown value was passed to the validate function"]),
    ],
)
def test_every_broken_rule_is_told_unknown_properties_first(body: object, told: list[str]) -> None:
    assert faults(SHAPE, body) == told


def test_production_does_not_tell_which_rule_was_broken() -> None:
    refused = refusal(SHAPE, {"name": "ab"})
    assert refused is not None
    assert (refused.status, refused.body) == (400, b'{"statusCode":400,"message":"Bad Request"}')
    assert refused.development == f'{{"statusCode":400,"message":["{SHORT}"],"error":"Bad Request"}}'.encode()
    assert refusal(SHAPE, {"name": "abc"}) is None
