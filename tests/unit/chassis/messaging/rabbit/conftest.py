"""Brokers and a proxy on the shared RabbitMQ, closed when the test ends."""

from collections.abc import AsyncIterator, Iterator

import pytest

from chassis.messaging.rabbit.broker import RabbitBroker
from tests.support.connected import RABBIT_URL
from tests.support.system.tcp_proxy import TcpProxy
from tests.unit.chassis.messaging.rabbit.scene import Opened


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    brokers: list[RabbitBroker] = []

    def opened(url: str) -> RabbitBroker:
        brokers.append(RabbitBroker(url, "tests"))
        return brokers[-1]

    yield opened
    for broker in brokers:
        await broker.aclose()


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with TcpProxy(int(RABBIT_URL.rpartition(":")[2].partition("/")[0])) as proxy:
        yield proxy
