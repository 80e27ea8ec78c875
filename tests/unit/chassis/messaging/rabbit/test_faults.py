"""RabbitMQ away, killed, cut off, changed behind our back: what was confirmed stays, consumers come back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from pamqp import commands
from structlog.testing import capture_logs

from chassis.messaging.port import BrokerUnavailable, MessagingError
from chassis.messaging.rabbit import publisher as rabbit_publisher
from chassis.messaging.rabbit import subscription as rabbit_subscription
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.rabbit.subscription import RabbitSubscription
from parts.ports import free_port
from parts.servers import rabbit
from tests.support.connected import RABBIT_MANAGEMENT_URL, fresh_rabbit
from tests.support.messaging import JUST_THINGS, THINGS, Collector, thing, until
from tests.support.system.tcp_proxy import TcpProxy
from tests.unit.chassis.messaging.rabbit.scene import Opened, sent

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbit.RabbitServer]:
    """One of our own, to be killed."""
    with rabbit.own(tmp_path_factory.mktemp("rabbit")) as own:
        yield own


@pytest.fixture
def url(server: rabbit.RabbitServer) -> str:
    """Of an empty virtual host on it."""
    return fresh_rabbit(server.url, server.management_url)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumers are looked after in no time."""
    monkeypatch.setattr(rabbit_subscription, "CHECK_EVERY_S", 0.2)
    monkeypatch.setattr(rabbit_subscription, "ANSWER_TIMEOUT_S", 1.0)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumers are not looked after: they learn from the broker alone."""
    monkeypatch.setattr(rabbit_subscription, "CHECK_EVERY_S", 3600.0)


async def published(
    broker: RabbitBroker, exchange: str = "events", key: str | None = None, timeout_s: float = 30.0
) -> bool:
    try:
        await broker.publish(exchange, thing(), routing_key=key, timeout_s=timeout_s)
    except MessagingError:
        return False
    return True


async def blocked(broker: RabbitBroker) -> bool:
    return not await published(broker, timeout_s=1)


def is_alarmed(server: rabbit.RabbitServer) -> bool:
    checked = httpx.get(f"{server.management_url}/api/health/checks/local-alarms", timeout=60)
    return checked.status_code == httpx.codes.SERVICE_UNAVAILABLE


async def in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


async def started(broker: RabbitBroker, keeper: Collector, prefetch: int = 20) -> RabbitSubscription:
    await broker.declare(JUST_THINGS)
    subscription = await broker.consume(THINGS.name, keeper, prefetch=prefetch)
    await until(lambda: subscription.is_consuming)
    return subscription


async def test_without_a_broker_consuming_and_replies_wait_for_it_and_publishing_says_no_at_once(
    server: rabbit.RabbitServer, url: str, opened: Opened
) -> None:
    await in_thread(server.kill)
    broker, things, answers = opened(url), Collector(), Collector()
    subscription = await broker.consume(THINGS.name, things)
    key = await asyncio.wait_for(broker.replies("answers", answers), 60)
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(broker.publish("events", thing(), timeout_s=600), 60)
    with pytest.raises(BrokerUnavailable):
        await broker.ping()
    await in_thread(server.start)
    await broker.declare(JUST_THINGS)
    await until(lambda: subscription.is_consuming)

    await until(lambda: published(broker, "answers", key))
    await until(lambda: bool(answers.handled))


async def test_while_the_broker_is_away_only_the_attempts_1_2_4_8_and_so_on_are_logged(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_subscription, "LONGEST_WAIT_S", 0.01)
    with capture_logs() as lines:
        await opened(f"amqp://guest:guest@127.0.0.1:{free_port()}/").consume(THINGS.name, Collector())
        await until(lambda: any(line.get("attempts") == 16 for line in lines))
    assert [line["attempts"] for line in lines if line["event"] == "consumer lost"] == [1, 2, 4, 8, 16]


async def test_replies_come_under_the_same_key_on_a_new_connection(broker: RabbitBroker, proxy: TcpProxy) -> None:
    keeper = Collector()
    key = await broker.replies("answers", keeper)
    proxy.cut()

    await until(lambda: published(broker, "answers", key))
    await until(lambda: bool(keeper.handled))


async def test_an_alarm_that_blocks_publishers_refuses_in_time_and_lets_consumers_go_on(
    server: rabbit.RabbitServer, url: str, opened: Opened
) -> None:
    broker, keeper = opened(url), Collector(asyncio.Event())
    await started(broker, keeper)
    await broker.publish("events", thing())
    await until(lambda: bool(keeper.begun))
    await in_thread(lambda: server.control("set_vm_memory_high_watermark", "absolute", "1"))
    try:
        await until(lambda: in_thread(lambda: is_alarmed(server)))
        await until(lambda: blocked(broker))
        keeper.gate.set()
        await until(lambda: bool(keeper.handled))
        assert await asyncio.wait_for(blocked(broker), 60)
    finally:
        await in_thread(lambda: server.control("set_vm_memory_high_watermark", "absolute", "1GB"))

    await until(lambda: published(broker))


async def test_a_consumer_of_a_queue_that_others_make_waits_until_it_is_there(opened: Opened) -> None:
    url = fresh_rabbit()
    consumer, maker, keeper = opened(url), opened(url), Collector()
    subscription = await consumer.consume(THINGS.name, keeper)
    await asyncio.wait_for(subscription.tried.wait(), 60)
    assert not subscription.is_consuming
    await maker.declare(JUST_THINGS)
    await until(lambda: subscription.is_consuming)


async def deleted(url: str, name: str, kind: str = "queues") -> None:
    """By the administrator."""
    vhost = url.rpartition("/")[2]
    async with httpx.AsyncClient() as client:
        (await client.delete(f"{RABBIT_MANAGEMENT_URL}/api/{kind}/{vhost}/{name}")).raise_for_status()


async def queue_deleted(url: str, _subscription: RabbitSubscription) -> None:
    await deleted(url, THINGS.name)  # the broker sends basic.cancel


async def exchange_deleted(url: str, subscription: RabbitSubscription) -> None:
    await deleted(url, THINGS.exchange, kind="exchanges")
    subscription._changed.set()  # a check is due


async def channel_closed(_url: str, subscription: RabbitSubscription) -> None:
    channel = subscription._channel
    assert channel is not None
    await channel.basic_ack(4711)  # PRECONDITION_FAILED - unknown delivery tag
    await until(lambda: channel.is_closed)


async def consumer_forgotten(_url: str, subscription: RabbitSubscription) -> None:
    for tag in [*subscription._tags]:
        assert subscription._channel is not None
        await subscription._channel.basic_cancel(tag)  # behind the subscription's back
    subscription._changed.set()  # a check is due


Break = Callable[[str, RabbitSubscription], Awaitable[None]]


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("broken", [queue_deleted, exchange_deleted, channel_closed, consumer_forgotten])
async def test_what_is_broken_under_a_consumer_is_made_again(opened: Opened, broken: Break) -> None:
    url = fresh_rabbit()
    broker, keeper = opened(url), Collector()
    subscription = await started(broker, keeper)
    await broken(url, subscription)
    await until(lambda: published(broker))
    await until(lambda: bool(keeper.handled))


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_half_open_connection_is_left_by_consumer_and_publisher(
    broker: RabbitBroker, proxy: TcpProxy, way: str
) -> None:
    keeper = Collector()
    subscription = await started(broker, keeper)
    await broker.publish("events", thing())
    await until(lambda: len(keeper.handled) == 1)
    getattr(proxy, way).held = True
    with pytest.raises(BrokerUnavailable):
        await broker.publish("events", thing(), timeout_s=2.5)
    await until(lambda: not subscription.is_consuming)
    before = len(proxy.conversations)
    proxy.heal()
    await until(lambda: subscription.is_consuming)
    await broker.publish("events", last := thing())
    await until(lambda: last.id in keeper.ids)
    assert len(proxy.conversations) > before


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_publisher_leaves_a_silent_connection_for_a_new_one_before_its_heartbeats_are_missed(
    broker: RabbitBroker, proxy: TcpProxy, way: str
) -> None:
    await broker.publish("events", thing())
    before = len(proxy.conversations)
    getattr(proxy, way).held = True
    with pytest.raises(BrokerUnavailable):
        await broker.publish("events", thing(), timeout_s=rabbit_publisher.SILENCE_S)
    assert len(proxy.conversations) == before
    with pytest.raises(BrokerUnavailable):
        await broker.publish("events", thing(), timeout_s=0.5)
    await until(lambda: len(proxy.conversations) > before)


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("after", [1, 60, 300, 1000])
async def test_a_connection_cut_after_any_byte_leaves_a_doubt_and_the_next_publish_goes_through(
    broker: RabbitBroker, proxy: TcpProxy, way: str, after: int
) -> None:
    getattr(proxy, way).cut_after = after
    confirmed, doubts = 0, 0
    while not doubts:
        try:
            await broker.publish("events", thing())
            confirmed += 1
        except BrokerUnavailable:
            doubts += 1
    await broker.publish("events", thing())
    assert confirmed + 1 <= await broker.depth(THINGS.name) <= confirmed + doubts + 1


async def test_while_paused_nothing_comes_and_nothing_under_way_is_lost_not_even_over_a_lost_connection(
    broker: RabbitBroker, proxy: TcpProxy
) -> None:
    keeper = Collector(asyncio.Event())
    subscription = await started(broker, keeper)
    await broker.publish("events", thing())
    await until(lambda: len(keeper.begun) == 1)
    await subscription.pause()
    await broker.publish("events", thing())
    keeper.gate.set()
    await until(lambda: len(sent(proxy, commands.Basic.Ack)) == 1)
    proxy.cut()
    await until(lambda: subscription._channel is None)
    await until(lambda: subscription._channel is not None)
    assert not subscription.is_consuming
    assert await broker.depth(THINGS.name) == 1
    await subscription.resume()
    await until(lambda: len(keeper.handled) == 2)
    assert [delivery.count for delivery in keeper.begun] == [0, 0]


async def test_a_consumer_is_one_until_the_broker_has_let_it_go(broker: RabbitBroker, proxy: TcpProxy) -> None:
    subscription = await started(broker, Collector())
    proxy.up.held = True
    pausing = asyncio.create_task(subscription.pause())
    for _ in range(10):
        await asyncio.sleep(0)
    assert subscription.is_consuming
    proxy.heal()
    await pausing
    assert not subscription.is_consuming
