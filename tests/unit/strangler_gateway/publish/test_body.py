"""What may become a message: everything else is refused before anything is sent."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.publish.body import Unpublishable, body_limit, check_form, key_of, read_body
from strangler_gateway.table.rules.publish import BodyField
from tests.support.effort import examples

ID = "5f0c64e1-9b1d-4a57-8f3e-2d1c0b9a8e7f"
WANTED = (
    BodyField("id", "string", format="uuid"),
    BodyField("note", "string", max_length=5, required=False),
    BodyField("count", "integer", required=False),
    BodyField("price", "number", required=False),
    BodyField("gift", "boolean", required=False),
    BodyField("more", "object", required=False),
    BodyField("list", "array", max_length=2, required=False),
)


def body(**fields: object) -> bytes:
    return json.dumps({"id": ID, **fields}).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"note": "ümlau", "count": 0, "price": 1.5, "gift": False, "more": {"a": [None]}, "list": [1, "b"]},
        {"id": ID.upper(), "count": 2**53 - 1, "price": -3},
        {"note": ""},
    ],
)
def test_an_object_with_the_wanted_fields_is_taken_as_it_is(fields: dict[str, object]) -> None:
    assert read_body(body(**fields), WANTED) == {"id": ID, **fields}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"id": "%s"} x' % ID.encode(), "not JSON"),
        (b"id=%s" % ID.encode(), "not JSON"),
        (body(note="\xfc").decode().encode("utf-16"), "not JSON"),
        (b'\xef\xbb\xbf{"id": "%s"}' % ID.encode(), "not JSON"),
        (b'{"id": "\xff"}', "not JSON"),
        (b'{"price": NaN}', "not JSON"),
        (b'{"price": -Infinity}', "not JSON"),
        (b'{"count": 1%s}' % (b"0" * 5000), "not JSON"),
        (b'{"more": %s}' % (b"[" * 100_000), "not JSON"),
        (b"[]", "Wanted a JSON object"),
        (b"null", "Wanted a JSON object"),
        (b'"text"', "Wanted a JSON object"),
        (b"{}", "id is missing"),
        (b'{"id": null}', "id is not of the type string"),
        (b'{"id": "7"}', "id is not a UUID"),
        (body(id=ID.replace("-", "")), "id is not a UUID"),
        (body(id=f"{{{ID}}}"), "id is not a UUID"),
        (body(id=ID + "\n"), "id is not a UUID"),
        (body(id=[ID]), "id is not of the type string"),
        (body(subject="mallory"), "unknown field; known: id, note"),
        (body(note="longer"), "note is longer than 5"),
        (body(note="\ud800"), "note is not of the type string"),
        (body(note=5), "note is not of the type string"),
        (body(count=1.0), "count is not of the type integer"),
        (body(count=True), "count is not of the type integer"),
        (body(count="1"), "count is not of the type integer"),
        (body(count=2**53), "count is not of the type integer"),
        (body(price="1"), "price is not of the type number"),
        (body(price=False), "price is not of the type number"),
        (body(gift=0), "gift is not of the type boolean"),
        (body(more=[]), "more is not of the type object"),
        (body(list={}), "list is not of the type array"),
        (body(list=[1, 2, 3]), "list is longer than 2"),
        (b'{"id": "%s", "id": "%s"}' % (ID.encode(), ID.encode()), "occurs twice"),
        (b'{"id": "%s", "\\u0069d": "%s"}' % (ID.encode(), ID.encode()), "occurs twice"),
        (b'{"id": "%s", "more": {"a": 1, "a": 2}}' % ID.encode(), "occurs twice"),
    ],
)
def test_what_is_not_exactly_that_is_refused_with_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(Unpublishable, match=said) as refused:
        read_body(data, WANTED)
    assert refused.value.status == 400


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=examples(400))
def test_whatever_is_sent_is_taken_or_refused(data: bytes) -> None:
    with contextlib.suppress(Unpublishable):
        assert read_body(data, ()) == {}


def test_a_refusal_never_repeats_what_was_sent() -> None:
    with pytest.raises(Unpublishable) as refused:
        read_body(b'{"id": "secret-text", "secret-name": 1}', WANTED)
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("parameter", [b"", b"; charset=utf-8", b';charset="UTF-8"'])
@pytest.mark.parametrize("kind", [b"application/json", b"Application/JSON"])
def test_a_body_has_to_say_that_it_is_json(kind: bytes, parameter: bytes) -> None:
    check_form([(b"Content-Type", kind + parameter), (b"Content-Encoding", b"identity")])


OTHER_KINDS = (b"", b"text/plain", b"application/x-www-form-urlencoded", b"application/jsonp")


@pytest.mark.parametrize(
    "fields",
    [
        [],
        *([(b"Content-Type", kind)] for kind in (*OTHER_KINDS, b"application/json; charset=utf-16")),
        [(b"Content-Type", b"application/json"), (b"content-type", b"application/json")],
        [(b"Content-Type", b"application/json"), (b"content-ENCODING", b"gzip")],
    ],
)
def test_a_body_of_another_kind_is_415(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unpublishable) as refused:
        check_form(fields)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (b"a", "a"),
        (b"x" * 255, "x" * 255),
        (b'"' + b"x" * 255 + b'"', "x" * 255),
        (rb'"a \"quoted\" \\ one"', r'a "quoted" \ one'),
        (b"!#$%&'*+-./:<=>?@[]^_`{|}~", "!#$%&'*+-./:<=>?@[]^_`{|}~"),
    ],
)
def test_a_key_is_the_same_with_and_without_the_quotes_of_the_draft(value: bytes, key: str) -> None:
    assert key_of([(b"idempotency-KEY", value)]) == key


UNCLEAR = (b"", b'""', b"two words", b"a, b", b"a;b=1", b'"a";b=1', b'"a', rb'"a\b"', b'a"b', b"\xc3\xbc", b"a\tb")


@pytest.mark.parametrize(
    "values",
    [*([one] for one in UNCLEAR), [b"x" * 256], [b'"' + b"x" * 256 + b'"'], [b"a", b"b"], [b"a", b"a"]],
)
def test_a_key_that_could_be_read_in_two_ways_is_refused(values: list[bytes]) -> None:
    with pytest.raises(Unpublishable, match="Idempotency-Key") as refused:
        key_of([(b"Idempotency-Key", value) for value in values])
    assert refused.value.status == 400
    assert key_of([(b"Content-Type", b"x")]) is None  # there may be none


def test_a_body_is_bounded_by_the_route_and_by_what_a_message_may_be() -> None:
    assert [body_limit(None), body_limit(10), body_limit(10**9)] == [65_536, 10, 262_144]
