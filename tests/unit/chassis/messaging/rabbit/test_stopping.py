"""A stop that meets a connection as it is lost: nothing goes on that should end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.rabbit.link import Link
from chassis.messaging.rabbit.subscription import RabbitSubscription
from chassis.service import startup
from tests.support.messaging import JUST_THINGS, Collector

TURNS = range(25)
"""So many turns of the loop after the broker has let go: the loss passes through the library meanwhile."""
WITHIN_S = 60


@asynccontextmanager
async def letting_go() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A broker that ends each connection after its first byte, and then is not there any more; its URL."""
    heard = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        heard.set()
        writer.close()
        server.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield f"amqp://u:p@127.0.0.1:{server.sockets[0].getsockname()[1]}/v", heard
    server.close()


async def cancelled(broker: RabbitBroker) -> Callable[[], Awaitable[object]]:
    """Declaring, as a service does from its start."""
    declaring = asyncio.create_task(startup.declare(broker, JUST_THINGS))

    async def stop() -> None:
        declaring.cancel()
        await asyncio.wait([declaring], timeout=WITHIN_S)
        assert declaring.cancelled()

    return stop


async def stopped(broker: RabbitBroker) -> Callable[[], Awaitable[object]]:
    """A consumer."""
    subscription = await broker.consume("things", Collector())
    return subscription.stop


@pytest.mark.parametrize("begun", [cancelled, stopped])
async def test_it_ends_whenever_it_comes(
    begun: Callable[[RabbitBroker], Awaitable[Callable[[], Awaitable[object]]]],
) -> None:
    for turns in TURNS:
        async with letting_go() as (url, heard):
            broker = RabbitBroker(url, "tests")
            stop = await begun(broker)
            await heard.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            await asyncio.wait_for(stop(), WITHIN_S)
            await broker.aclose()


async def test_a_cancellation_that_is_lost_on_the_way_is_made_again() -> None:
    """As asyncio.wait_for of Python 3.11 loses one that comes as what it waits for is done."""
    waits, lost = asyncio.Event(), asyncio.Event()

    async def attach() -> str:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if lost.is_set():
                raise
            lost.set()
        return "things"

    link = Link("amqp://u:p@127.0.0.1:1/v", "tests", lambda streams: streams)
    subscription = RabbitSubscription(link, attach, Collector(), prefetch=1)
    await waits.wait()
    await asyncio.wait_for(subscription.stop(), WITHIN_S)
    assert lost.is_set()
