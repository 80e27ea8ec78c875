"""A fault of the library, told as the port tells it."""

import ssl

import pytest

from chassis.messaging.port import BrokerUnavailable
from chassis.messaging.rabbit.errors import answered


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5671)"), "Connection refused"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "wrong version number"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate"), "self-signed"),
    ],
)
async def test_why_the_broker_is_not_reached_is_said(error: OSError, said: str) -> None:
    with pytest.raises(BrokerUnavailable, match=said):
        async with answered("connecting", 60):
            raise error
