"""The ids of a message: a repeat is the same message, everything else is another one."""

import re
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.publish.message import message_id, request_id, traceparent

RANDOM = count()


def random_bytes(length: int) -> bytes:
    return next(RANDOM).to_bytes(length, "big")


texts = st.text(max_size=20)
names = st.tuples(texts, texts, texts)


@given(names, names)
def test_the_id_is_the_same_exactly_for_the_same_user_route_and_key(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert message_id(*one, random_bytes) == message_id(*one, random_bytes)
    assert (message_id(*one, random_bytes) == message_id(*other, random_bytes)) is (one == other)


def test_what_one_text_ends_with_another_cannot_begin_with() -> None:
    assert len({message_id(*one, random_bytes) for one in (("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd"))}) == 3


def test_the_id_is_for_ever_and_a_uuid_in_small_letters() -> None:
    assert message_id("ada", "order-place", "key-1", random_bytes) == "75074e62-4d73-55c6-803b-8a4b661d69d2"


def test_without_a_key_each_request_is_a_new_message() -> None:
    made = {message_id("ada", "order-place", None, random_bytes) for _ in range(100)}
    assert len(made) == 100
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )


def test_the_request_id_tells_bodies_apart_and_not_how_they_are_written() -> None:
    message = message_id("ada", "order-place", "key-1", random_bytes)
    assert request_id(message, {"a": 1, "b": "2"}) == request_id(message, {"b": "2", "a": 1})
    assert len({request_id(message, body) for body in ({"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": True}, {})}) == 5
    assert request_id(message, {}) != request_id(message_id("ada", "order-place", "key-2", random_bytes), {})


VALID = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_valid_trace_is_carried_on() -> None:
    assert traceparent([(b"Traceparent", VALID)], random_bytes) == VALID.decode()


@pytest.mark.parametrize(
    "values",
    [
        [],
        [VALID, VALID],
        [VALID + b"-x"],
        [VALID.upper()],
        [VALID.replace(b"00-4", b"ff-4", 1)],
        [b"00-" + b"0" * 32 + VALID[35:]],
        [VALID[:36] + b"0" * 16 + b"-01"],
        [b""],
    ],
)
def test_without_a_valid_one_a_trace_begins(values: list[bytes]) -> None:
    made = traceparent([(b"traceparent", value) for value in values], lambda length: b"\x5a" * length)
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00", made)
    assert made.encode() not in values
