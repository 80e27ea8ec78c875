"""What RabbitMQ alone does: what stands in the frames, what it says no to, which texts never hold a secret."""

import asyncio
import logging

import pytest
from pamqp import commands
from pamqp.header import ContentHeader

from chassis.messaging.envelope import MessageInvalid
from chassis.messaging.port import BrokerUnavailable, Delivery, TopologyDiffers, Unroutable
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.topology import Queue, Topology
from chassis.settings import SettingsInvalid
from tests.support.connected import RABBIT_URL, fresh_rabbit
from tests.support.system.tcp_proxy import TcpProxy
from tests.unit.chassis.messaging.scene import (
    QUEUE,
    TOPOLOGY,
    TYPE,
    Keeper,
    Opened,
    an_envelope,
    frames,
    open_keeper,
    sent,
    until,
)

pytestmark = pytest.mark.connected


@pytest.fixture
async def broker(opened: Opened) -> RabbitBroker:
    broker = opened(fresh_rabbit())
    await broker.declare(TOPOLOGY)
    return broker


async def test_a_message_goes_out_persistent_and_mandatory_on_a_channel_that_confirms(
    opened: Opened, proxy: TcpProxy
) -> None:
    broker = opened(proxy.through(fresh_rabbit()))
    await broker.declare(TOPOLOGY)
    envelope = an_envelope(subject="user-1", request_id="r-1", causation_id="c-1", reply_to="key")
    await broker.publish("events", envelope)
    (publish,) = sent(proxy, commands.Basic.Publish)
    (header,) = sent(proxy, ContentHeader)
    assert (publish.exchange, publish.routing_key, publish.mandatory) == ("events", TYPE, True)
    assert sent(proxy, commands.Confirm.Select)
    properties = header.properties
    assert properties.delivery_mode == 2
    assert (properties.message_id, properties.message_type) == (envelope.id, TYPE)
    assert (properties.correlation_id, properties.reply_to) == ("r-1", "key")
    assert properties.expiration is None


async def test_a_reply_goes_out_transient_and_expires(opened: Opened, proxy: TcpProxy) -> None:
    broker = opened(proxy.through(fresh_rabbit()))
    keeper = open_keeper()
    key = await broker.replies("answers", keeper)
    await broker.publish("answers", an_envelope(), routing_key=key, persistent=False, expires_s=10)
    await until(lambda: bool(keeper.handled))
    (header,) = sent(proxy, ContentHeader)
    assert (header.properties.delivery_mode, header.properties.expiration) == (1, "10000")


async def test_it_is_acknowledged_after_the_handler_has_returned_and_not_before(
    opened: Opened, proxy: TcpProxy
) -> None:
    broker = opened(proxy.through(fresh_rabbit()))
    await broker.declare(TOPOLOGY)
    keeper = Keeper()
    await broker.consume(QUEUE.name, keeper, prefetch=7)
    await broker.publish("events", an_envelope())
    await until(lambda: bool(keeper.begun))
    await broker.ping()
    assert sent(proxy, commands.Basic.Ack) == []
    await until(lambda: [qos.prefetch_count for qos in sent(proxy, commands.Basic.Qos)] == [1, 6])
    assert {consume.no_ack for consume in sent(proxy, commands.Basic.Consume)} == {False}
    keeper.gate.set()
    await until(lambda: len(sent(proxy, commands.Basic.Ack)) == 1)


async def test_what_a_handler_raises_for_is_rejected_into_the_queue_and_never_nacked(
    opened: Opened, proxy: TcpProxy
) -> None:
    broker = opened(proxy.through(fresh_rabbit()))
    await broker.declare(TOPOLOGY)
    keeper = open_keeper(fails=2)
    await broker.consume(QUEUE.name, keeper)
    await broker.publish("events", an_envelope())
    await until(lambda: bool(keeper.handled))
    assert [reject.requeue for reject in sent(proxy, commands.Basic.Reject)] == [True, True]
    assert sent(proxy, commands.Basic.Nack) == []
    assert [delivery.count for delivery in keeper.begun] == [0, 1, 2]


async def test_publishing_and_each_consumer_have_connections_of_their_own(opened: Opened, proxy: TcpProxy) -> None:
    broker = opened(proxy.through(fresh_rabbit()))
    await broker.declare(TOPOLOGY)
    await broker.publish("events", an_envelope())
    consumers = [await broker.consume(QUEUE.name, open_keeper()) for _ in range(2)]
    await until(lambda: all(consumer.is_consuming for consumer in consumers))
    with_a_consumer = [c for c in proxy.conversations if any(isinstance(f, commands.Basic.Consume) for f in frames(c))]
    assert len(with_a_consumer) == 2
    assert not any(isinstance(f, commands.Basic.Publish) for c in with_a_consumer for f in frames(c))


@pytest.mark.parametrize("other", [{"max_length": 7}, {"delivery_limit": 7}], ids=lambda other: next(iter(other)))
async def test_a_queue_that_is_there_with_other_limits_is_told_in_one_sentence(
    broker: RabbitBroker, other: dict[str, int]
) -> None:
    with pytest.raises(TopologyDiffers) as told:
        await broker.declare(
            Topology({}, (Queue("things", "owner", "events", (TYPE,), **{"max_length": 1000, **other}),))
        )
    assert "things" in str(told.value)
    assert "wanted" in str(told.value)
    assert "delete it" in str(told.value)
    assert "\n" not in str(told.value)


async def test_a_missing_exchange_takes_nothing_and_holds_up_no_other(broker: RabbitBroker) -> None:
    good = [broker.publish("events", an_envelope()) for _ in range(50)]
    bad = [broker.publish("nowhere", an_envelope()) for _ in range(5)]
    done = await asyncio.gather(*good, *bad, return_exceptions=True)
    assert done[:50] == [None] * 50
    assert {type(error) for error in done[50:]} == {Unroutable}


async def test_publishes_to_a_missing_exchange_one_upon_the_other_hold_up_no_other(
    opened: Opened, proxy: TcpProxy
) -> None:
    """What is sent on a channel that the broker has closed costs the connection."""
    broker = opened(proxy.through(fresh_rabbit()))
    await broker.declare(TOPOLOGY)
    await broker.publish("events", an_envelope())

    async def publish(exchange: str, number: int) -> None:
        await asyncio.sleep(number / 2000)  # some come while the answer to another is under way
        await broker.publish(exchange, an_envelope(), timeout_s=20)

    for _ in range(3):
        both = [publish(exchange, number) for exchange in ("events", "nowhere") for number in range(50)]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert [type(error) for error in done] == [type(None)] * 50 + [Unroutable] * 50


@pytest.mark.parametrize("is_proven", [False, True])
async def test_the_same_message_twice_at_once_is_told_to_be_nowhere_twice(
    broker: RabbitBroker, is_proven: bool
) -> None:
    envelope = an_envelope()
    if is_proven:  # else they wait for each other anyway
        await broker.publish("events", envelope)
    twice = [broker.publish("events", envelope, routing_key="nobody") for _ in range(4)]
    done = await asyncio.gather(*twice, return_exceptions=True)
    assert [type(error) for error in done] == [Unroutable] * 4


@pytest.mark.parametrize("field", ["reply_to", "request_id"])
async def test_what_no_broker_could_carry_is_invalid_and_not_tried(broker: RabbitBroker, field: str) -> None:
    with pytest.raises(MessageInvalid, match=field):
        await broker.publish("events", an_envelope(**{field: "x" * 256}))


async def test_dead_letters_lie_in_a_queue_of_their_own_and_say_why(broker: RabbitBroker) -> None:
    keeper, dead = open_keeper(fails=100), open_keeper()
    await broker.consume(QUEUE.name, keeper)
    await broker.consume(QUEUE.dead, dead)
    envelope = an_envelope()
    await broker.publish("events", envelope)
    await until(lambda: bool(dead.handled))
    assert len(keeper.begun) == QUEUE.delivery_limit + 1
    assert dead.handled[0].envelope() == envelope
    assert dead.handled[0].died == "delivery_limit in things"


async def test_a_message_that_ends_each_connection_is_dead_lettered_and_takes_no_neighbour_with_it(
    opened: Opened, proxy: TcpProxy
) -> None:
    url = fresh_rabbit()
    broker, cut_off, keeper = opened(url), opened(proxy.through(url)), open_keeper()
    await broker.declare(TOPOLOGY)
    sent = [an_envelope() for _ in range(9)]
    poison, neighbours = sent[4], [*sent[:4], *sent[5:]]
    for envelope in sent:
        await broker.publish("events", envelope)

    async def handle(delivery: Delivery) -> None:
        if delivery.properties["id"] == poison.id:
            proxy.cut()
        await keeper(delivery)

    await cut_off.consume(QUEUE.name, handle)
    await until(lambda: {envelope.id for envelope in neighbours} <= set(keeper.ids))

    async def is_dead() -> bool:
        return await broker.depth(QUEUE.dead) == 1

    await until(is_dead)
    assert max(delivery.count for delivery in keeper.begun if delivery.properties["id"] != poison.id) <= 2


@pytest.mark.parametrize("url", ["amqp://me:sesame@127.0.0.1:1/v", RABBIT_URL.replace(":guest@", ":sesame@")])
async def test_the_password_stands_in_no_text(
    opened: Opened, url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    broker = opened(url)
    with pytest.raises(BrokerUnavailable) as told:
        await broker.ping()
    subscription = await broker.consume("things", open_keeper())
    await asyncio.wait_for(subscription.tried.wait(), 10)
    texts: list[object] = [broker, subscription, caplog.text, *capsys.readouterr()]
    error: BaseException | None = told.value
    while error is not None:
        texts += [error, *error.args]
        error = error.__cause__
    assert not any("sesame" in form for text in texts for form in (str(text), repr(text)))


@pytest.mark.parametrize(
    "url", ["amqp://", "http://u:sesame@host/", "amqp://u:sesame@host:port/", "amqp://u:sesame@[/"]
)
def test_a_url_that_is_none_is_told_without_it(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="wanted amqp://") as told:
        RabbitBroker(url, "tests")
    assert "sesame" not in str(told.value)
