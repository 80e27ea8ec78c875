"""Brokers and a proxy on the shared RabbitMQ, closed at the end of the test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from chassis.messaging.rabbit.broker import RabbitBroker
from tests.support.connected import RABBIT_URL, fresh_rabbit
from tests.support.messaging import JUST_THINGS
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


@pytest.fixture
async def broker(opened: Opened, proxy: TcpProxy) -> RabbitBroker:
    """Through the proxy, in its own virtual host, with the queue of things."""
    broker = opened(proxy.through(fresh_rabbit()))
    await broker.declare(JUST_THINGS)
    return broker
