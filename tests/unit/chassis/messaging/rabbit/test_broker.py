"""What RabbitMQ alone does: what stands in the frames, what it says no to, which texts never hold a secret."""

import asyncio
import logging

import pytest
from pamqp import commands
from pamqp.header import ContentHeader

from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import BrokerUnavailable, Delivery, Unroutable
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.settings import SettingsInvalid
from tests.support.connected import RABBIT_URL, fresh_rabbit
from tests.support.messaging import JUST_THINGS, THINGS, TYPE, Collector, thing, until
from tests.support.system.tcp_proxy import TcpProxy
from tests.unit.chassis.messaging.rabbit.scene import Opened, frames, sent

pytestmark = pytest.mark.connected


async def test_a_message_goes_out_persistent_and_mandatory_on_a_channel_that_confirms(
    broker: RabbitBroker, proxy: TcpProxy
) -> None:
    envelope = thing(subject="user-1", request_id="r-1", causation_id="c-1", reply_to="key")
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


async def test_a_reply_goes_out_transient_and_expires(broker: RabbitBroker, proxy: TcpProxy) -> None:
    keeper = Collector()
    key = await broker.replies("answers", keeper)
    await broker.publish("answers", thing(), routing_key=key, persistent=False, expires_s=10)
    await until(lambda: bool(keeper.handled))
    (header,) = sent(proxy, ContentHeader)
    assert (header.properties.delivery_mode, header.properties.expiration) == (1, "10000")


async def test_it_is_acknowledged_after_the_handler_has_returned_and_not_before(
    broker: RabbitBroker, proxy: TcpProxy
) -> None:
    keeper = Collector(asyncio.Event())
    await broker.consume(THINGS.name, keeper, prefetch=7)
    await broker.publish("events", thing())
    await until(lambda: bool(keeper.begun))
    await broker.ping()
    assert sent(proxy, commands.Basic.Ack) == []
    await until(lambda: [qos.prefetch_count for qos in sent(proxy, commands.Basic.Qos)] == [1, 6])
    assert {consume.no_ack for consume in sent(proxy, commands.Basic.Consume)} == {False}
    keeper.gate.set()
    await until(lambda: len(sent(proxy, commands.Basic.Ack)) == 1)


async def test_what_a_handler_raises_for_is_rejected_into_the_queue_and_never_nacked(
    broker: RabbitBroker, proxy: TcpProxy
) -> None:
    keeper = Collector(fails=2)
    await broker.consume(THINGS.name, keeper)
    await broker.publish("events", thing())
    await until(lambda: bool(keeper.handled))
    assert [reject.requeue for reject in sent(proxy, commands.Basic.Reject)] == [True, True]
    assert sent(proxy, commands.Basic.Nack) == []
    assert [delivery.count for delivery in keeper.begun] == [0, 1, 2]


async def test_publishing_and_each_consumer_have_their_own_connections(broker: RabbitBroker, proxy: TcpProxy) -> None:
    await broker.publish("events", thing())
    consumers = [await broker.consume(THINGS.name, Collector()) for _ in range(2)]
    await until(lambda: all(consumer.is_consuming for consumer in consumers))
    with_a_consumer = [c for c in proxy.conversations if any(isinstance(f, commands.Basic.Consume) for f in frames(c))]
    assert len(with_a_consumer) == 2
    assert not any(isinstance(f, commands.Basic.Publish) for c in with_a_consumer for f in frames(c))


async def test_publishes_to_a_missing_exchange_one_upon_the_other_hold_up_no_other(
    broker: RabbitBroker, proxy: TcpProxy
) -> None:
    """What is sent on a channel that the broker has closed costs the connection."""
    await broker.publish("events", thing())

    async def publish(exchange: str, number: int) -> None:
        await asyncio.sleep(number / 2000)  # some come while the answer to another is under way
        await broker.publish(exchange, thing(), timeout_s=20)

    for _ in range(3):
        both = [publish(exchange, number) for exchange in ("events", "nowhere") for number in range(50)]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert [type(error) for error in done] == [type(None)] * 50 + [Unroutable] * 50


@pytest.mark.parametrize("is_proven", [False, True])
async def test_the_same_message_twice_at_once_is_told_to_be_nowhere_twice(
    broker: RabbitBroker, is_proven: bool
) -> None:
    envelope = thing()
    if is_proven:  # else they wait for each other anyway
        await broker.publish("events", envelope)
    twice = [broker.publish("events", envelope, routing_key="nobody") for _ in range(4)]
    done = await asyncio.gather(*twice, return_exceptions=True)
    assert [type(error) for error in done] == [Unroutable] * 4


@pytest.mark.parametrize("envelope", [thing(reply_to="x" * 256), thing(request_id="x" * 256)])
async def test_what_no_broker_could_carry_is_invalid_and_not_tried(broker: RabbitBroker, envelope: Envelope) -> None:
    with pytest.raises(MessageInvalid, match="longer than 255 bytes"):
        await broker.publish("events", envelope)


async def test_a_message_that_ends_each_connection_is_dead_lettered_and_takes_no_neighbour_with_it(
    opened: Opened, proxy: TcpProxy
) -> None:
    url = fresh_rabbit()
    broker, cut_off, keeper = opened(url), opened(proxy.through(url)), Collector()
    await broker.declare(JUST_THINGS)
    sent = [thing() for _ in range(9)]
    poison, neighbours = sent[4], [*sent[:4], *sent[5:]]
    for envelope in sent:
        await broker.publish("events", envelope)

    async def handle(delivery: Delivery) -> None:
        if delivery.properties["id"] == poison.id:
            proxy.cut()
        await keeper(delivery)

    await cut_off.consume(THINGS.name, handle)
    await until(lambda: {envelope.id for envelope in neighbours} <= set(keeper.ids))

    async def is_dead() -> bool:
        return await broker.depth(THINGS.dead) == 1

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
    subscription = await broker.consume("things", Collector())
    await asyncio.wait_for(subscription.tried.wait(), 60)
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
    with pytest.raises(SettingsInvalid, match="expected amqp://") as told:
        RabbitBroker(url, "tests")
    assert "sesame" not in str(told.value)
