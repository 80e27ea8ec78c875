"""What is encoded here, pamqp reads, and encodes to the same bytes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from chassis.messaging.rabbit.encoded_properties import EncodedProperties
from chassis.messaging.rabbit.raw_properties import read

WHOLE: dict[str, Any] = {
    "content_type": "application/json",
    "headers": {"subject": "é" * 300, "time": "2026-01-01T00:00:00.5+00:00"},
    "delivery_mode": 2,
    "correlation_id": "r" * 255,
    "reply_to": "key",
    "expiration": "10000",
    "message_id": "id",
    "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    "message_type": "thing.v1",
    "app_id": "account",
}
CASES: dict[str, dict[str, Any]] = {
    "whole": {},
    "what is absent": {"correlation_id": None, "reply_to": "", "expiration": None, "delivery_mode": 1},
    "no header": {"headers": {}},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_the_bytes_are_those_of_pamqp_and_are_read_back(changes: dict[str, Any]) -> None:
    values = WHOLE | changes
    encoded = EncodedProperties(**values)
    assert (encoded.message_id, encoded.marshal()) == ("id", Basic.Properties(**values).marshal())
    assert ContentHeader(body_size=5, properties=encoded).marshal().endswith(encoded.marshal())
    properties, fault = read(encoded.marshal())
    assert fault is None
    assert {name: getattr(properties, name) for name in values} == {
        name: value or ({} if name == "headers" else None) for name, value in values.items()
    }


def test_a_time_before_the_epoch_is_the_epoch() -> None:
    old = EncodedProperties(**WHOLE | {"timestamp": datetime(1, 1, 1, tzinfo=UTC)})
    assert read(old.marshal())[0].timestamp == datetime(1970, 1, 1, tzinfo=UTC)
