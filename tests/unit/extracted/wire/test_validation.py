"""Bodies are held to their rules, with class-validator's words."""

import pytest

from extracted.wire.validation import (
    NUMBER,
    STRING,
    at_least,
    faults,
    known,
    length,
    nested,
    one_of,
    optional,
    refusal,
    required,
    texts,
)

SHAPE = {"name": required(STRING, *length(3, 5)), "language": optional(one_of(("en", "fr")))}
LONG = "name must be shorter than or equal to 5 characters"
SHORT = "name must be longer than or equal to 3 characters"
NO_TEXT = "name must be a string"
NO_LANGUAGE = "language must be one of the following values: en, fr"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "abcde", "language": "fr"}, []),
        ({"name": "abc", "language": None}, []),
        ({"name": "\U0001f600" * 5}, []),
        ({"name": "ab"}, [SHORT]),
        ({"name": "abcdef"}, [LONG]),
        *((body, [NO_TEXT, SHORT, LONG]) for body in ({}, {"name": None}, {"name": ["abc"]}, {"name": 12345})),
        *(({"name": "abc", "language": one}, [NO_LANGUAGE]) for one in ("de", ["en"])),
        ({"y": 1, "name": "ab", "x": 2}, ["property y should not exist", "property x should not exist", SHORT]),
        ([], ["unknown value was passed to the validate function"]),
        ((), ["unknown value was passed to the validate function"]),
    ],
)
def test_every_broken_rule_is_told_unknown_properties_first(body: object, told: list[str]) -> None:
    assert faults(SHAPE, body) == told


@pytest.mark.parametrize(("body", "status"), [([], None), ([{}], 400), (["en"], 400), ([[]], 400), ((), 400)])
def test_an_empty_list_is_a_body_without_properties(body: object, status: int | None) -> None:
    found = refusal({"language": optional(one_of(("en", "fr")))}, body)
    assert (found and found.status) == status
    assert refusal(SHAPE, body) is not None


COST = {"cost": required(NUMBER, at_least(2))}
NO_NUMBER = "cost must be a number conforming to the specified constraints"
TOO_LOW = "cost must not be less than 2"


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ((2, 2.0, 1e300), []),
        ((1.9999, -1e300), [TOO_LOW]),
        ((True, "5", None, [5], float("inf"), float("nan")), [NO_NUMBER, TOO_LOW]),
    ],
)
def test_a_number_is_never_made_of_something_else(costs: tuple[object, ...], told: list[str]) -> None:
    assert [faults(COST, {"cost": cost}) for cost in costs] == [told] * len(costs)


NO_OBJECT = "data must be an object"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"text": ""}, []),
        ({}, ["data.text must be a string"]),
        ({"text": None, "x": 1}, ["data.property x should not exist", "data.text must be a string"]),
        *((data, [NO_OBJECT]) for data in (None, "text", [{"text": ""}], ())),
    ],
)
def test_what_an_object_holds_is_told_with_its_place(data: object, told: list[str]) -> None:
    assert faults({"data": nested({"text": required(STRING)})}, {"data": data}) == told
    optionally = [] if data is None else told
    assert faults({"data": nested({"text": required(STRING)}, optional=True)}, {"data": data}) == optionally


def test_what_every_object_of_javascript_has_is_dropped_without_a_word() -> None:
    shape = SHAPE | {"data": nested({"text": required(STRING)}, optional=True)}
    body = {"toString": "x", "name": "abc", "data": {"text": "", "constructor": 1}, "__proto__": None}
    assert faults(shape, body) == []
    assert known(shape, body) == {"name": "abc", "data": {"text": ""}}
    assert texts({"toString": "x", "name": "abc", "__proto__": None}) == {"name": "abc"}


def test_production_does_not_tell_which_rule_was_broken() -> None:
    refused = refusal(SHAPE, {"name": "ab"})
    assert refused is not None
    assert (refused.status, refused.body) == (400, b'{"statusCode":400,"message":"Bad Request"}')
    assert refused.development == f'{{"statusCode":400,"message":["{SHORT}"],"error":"Bad Request"}}'.encode()
    assert refusal(SHAPE, {"name": "abc"}) is None
