"""Envelopes: what goes out comes in as it was; what is no message of ours is refused with a reason."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.messaging.envelope import (
    MAX_BODY,
    Envelope,
    MessageInvalid,
    decode_body,
    encode_body,
    from_record,
    new_id,
    to_record,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc"), JSON, max_size=4))
def test_what_goes_out_comes_in_as_it_was(body: dict[str, object]) -> None:
    sent = Envelope(new_id(), "purchase.requested.v1", body, NOW, subject="u", request_id="r", causation_id="c")
    assert from_record(to_record(sent), encode_body(sent.body)) == sent


@pytest.mark.parametrize(
    "name", ["", "v1", "purchase", "purchase.v0", "Purchase.v1", "purchase.v1.x", "a..v1", "a.v1\n"]
)
def test_a_type_is_a_name_with_a_version(name: str) -> None:
    with pytest.raises(MessageInvalid):
        Envelope(new_id(), name, {}, NOW)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"a":"' + b"x" * MAX_BODY + b'"}'])
def test_what_is_no_json_object_of_our_size_is_refused(data: bytes) -> None:
    with pytest.raises(MessageInvalid):
        decode_body(data)


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": object()}, {"a": "x" * MAX_BODY}])
def test_what_cannot_be_read_again_is_not_sent(body: dict[str, object]) -> None:
    with pytest.raises(MessageInvalid):
        encode_body(body)


@pytest.mark.parametrize("wrong", [{"id": None}, {"id": 1}, {"type": ""}, {"time": "noon"}, {"subject": b"u"}])
def test_properties_that_are_missing_or_no_text_are_refused(wrong: dict[str, object]) -> None:
    record = to_record(Envelope(new_id(), "a.v1", {}, NOW))
    with pytest.raises(MessageInvalid):
        from_record(record | wrong, b"{}")
