"""What tests of RabbitMQ share: brokers that are closed when the test ends, the frames that a client has sent."""

from collections.abc import Callable
from typing import Any

from pamqp import frame

from chassis.messaging.rabbit.broker import RabbitBroker
from tests.support.system.tcp_proxy import Conversation, TcpProxy

Opened = Callable[[str], RabbitBroker]
"""The fixture `opened`: a broker at that URL, closed when the test ends."""
HEADER = len(b"AMQP\0\0\x09\x01")


def frames(conversation: Conversation) -> list[Any]:
    """Those that the client has sent."""
    data, found = bytes(conversation.up[HEADER:]), []
    while data:
        size, _channel, one = frame.unmarshal(data)
        found.append(one)
        data = data[size:]
    return found


def sent(proxy: TcpProxy, kind: type) -> list[Any]:
    return [one for conversation in proxy.conversations for one in frames(conversation) if isinstance(one, kind)]
