"""Each deployable's user of RabbitMQ can do its part of PolyCode's topology, and not forge another's."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiormq
import pytest
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused

from chassis.messaging.port import BrokerUnavailable, PublishRefused
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.rabbit.users import Permissions, apply_users, permissions
from chassis.messaging.topology import load
from tests.support.connected import RABBIT_MANAGEMENT_URL, fresh_rabbit
from tests.support.messaging import Collector, thing, until
from tests.unit.chassis.messaging.rabbit.scene import Opened

POLYCODE = load(Path(__file__).parents[5] / "extracted" / "topology.yaml")
REQUESTED, COMMAND = "purchase.requested.v1", "shop.decrease_quantity.v1"
DECISION, REPLY = "shop.quantity_decreased.v1", "purchase.reply.v1"
As = Callable[[str], RabbitBroker]


def url_of(user: str, url: str) -> str:
    parts = urlsplit(url)
    vhost = parts.path[1:]
    return parts._replace(netloc=f"{vhost}.{user}:sesame@{parts.hostname}:{parts.port}").geturl()


@pytest.fixture
async def url() -> str:
    """Of a virtual host with everything in it, and a user for each deployable."""
    url = fresh_rabbit()
    vhost = url.rpartition("/")[2]
    administrator = RabbitBroker(url, "administrator")
    await administrator.declare(POLYCODE)
    await administrator.aclose()
    passwords = dict.fromkeys(("gateway", "account", "shop", "mailer"), "sesame")
    await apply_users(RABBIT_MANAGEMENT_URL, vhost, POLYCODE, passwords, prefix=f"{vhost}.")
    return url


@pytest.fixture
def as_user(url: str, opened: Opened) -> As:
    return lambda name: opened(url_of(name, url))


def test_permissions_name_what_is_theirs_and_nothing_more() -> None:
    dead = "|".join(rf"account\.{name}|account\.{name}\.dead" for name in ("decisions", "purchases", "rewards"))
    assert permissions(POLYCODE)["account"] == Permissions(
        configure=f"^({dead})$",
        write=rf"^({dead}|gateway\.replies|learning\.replies|mails|purchases\.commands)$",
        read=rf"^({dead}|learning\.rewards|purchases|shop\.decisions)$",
    )
    waiting = r"gateway\.replies\.[0-9a-f]+"
    assert permissions(POLYCODE)["gateway"] == Permissions(
        configure=f"^({waiting})$", write=f"^({waiting}|purchases)$", read=rf"^({waiting}|gateway\.replies)$"
    )


def test_who_has_no_queue_and_writes_nowhere_may_nothing() -> None:
    alone = replace(POLYCODE, writers={"purchases": ("gateway",)}, queues=())
    assert permissions(alone)["gateway"] == Permissions("^$", "^(purchases)$", "^$")


@pytest.mark.connected
async def test_a_whole_purchase_and_its_mail_go_through_with_these_users(as_user: As) -> None:
    gateway, account, shop, mailer = map(as_user, ("gateway", "account", "shop", "mailer"))
    for broker, name in ((account, "account"), (shop, "shop"), (mailer, "mailer")):
        await broker.declare(POLYCODE.owned_by(name))
    asked, commanded, decided, answered, mailed, woken = (Collector() for _ in range(6))
    await mailer.consume("mailer.requests", mailed)
    await mailer.consume("mailer.senders", woken)
    await account.consume("account.purchases", asked)
    await account.consume("account.decisions", decided)
    await account.consume("account.decisions.dead", Collector())
    await shop.consume("shop.commands", commanded)
    key = await gateway.replies("gateway.replies", answered)
    await gateway.publish("purchases", thing(0, REQUESTED, reply_to=key))
    await account.publish("purchases.commands", thing(0, COMMAND))
    await shop.publish("shop.decisions", thing(0, DECISION))
    await account.publish("gateway.replies", thing(0, REPLY), routing_key=key, persistent=False, expires_s=10)
    await account.publish("mails", thing(0, "mail.requested.v1"))
    await mailer.publish("mailer.wakeups", thing(0, "mailer.wake.v1"))
    await until(lambda: all(one.handled for one in (asked, commanded, decided, answered, mailed, woken)))


@pytest.mark.connected
@pytest.mark.parametrize(
    ("user", "exchange", "key"),
    [
        ("account", "shop.decisions", DECISION),  # a forged decision
        ("gateway", "shop.decisions", DECISION),
        ("gateway", "purchases.commands", COMMAND),
        ("gateway", "gateway.replies", "somebody"),
        ("shop", "gateway.replies", "somebody"),
        ("account", "purchases", REQUESTED),  # a forged subject
        ("shop", "purchases", REQUESTED),
        ("account", "", "account.decisions"),  # past all exchanges
        ("shop", "mails", "mail.requested.v1"),
        ("account", "mailer.wakeups", "mailer.wake.v1"),
        ("gateway", "account.purchases.dead", "account.purchases.dead"),
    ],
)
async def test_what_another_should_send_is_refused(as_user: As, user: str, exchange: str, key: str) -> None:
    with pytest.raises(PublishRefused, match="ACCESS_REFUSED"):
        await as_user(user).publish(exchange, thing(0, DECISION), routing_key=key)


@pytest.mark.parametrize("name", sorted(permissions(POLYCODE)))
def test_no_pattern_of_a_user_takes_in_the_queue_of_another(name: str) -> None:
    """RabbitMQ looks an exchange and a queue up by the same patterns."""
    of_others = [queue for queue in POLYCODE.queues if queue.owner != name]
    patterns = permissions(POLYCODE)[name]
    for pattern in (patterns.configure, patterns.write, patterns.read):
        assert not [one for queue in of_others for one in (queue.name, queue.dead) if re.search(pattern, one)]


@pytest.mark.connected
@pytest.mark.parametrize(
    ("user", "queue", "readable"),
    [
        ("account", "shop.commands", "purchases"),
        ("account", "shop.commands.dead", "purchases"),
        ("account", "mailer.requests", "shop.decisions"),
        ("shop", "account.decisions", "purchases.commands"),
        ("gateway", "account.purchases", "gateway.replies"),
    ],
)
async def test_the_queue_of_another_is_not_read_bound_emptied_or_deleted(
    url: str, user: str, queue: str, readable: str
) -> None:
    """Not even bound to an exchange that the user may read."""
    attempts: list[Callable[[AbstractChannel], Awaitable[object]]] = [
        lambda channel: channel.basic_consume(queue, _ignored),
        lambda channel: channel.queue_purge(queue),
        lambda channel: channel.queue_delete(queue),
        lambda channel: channel.queue_bind(queue, readable, "stolen"),
        lambda channel: channel.queue_unbind(queue, readable, "stolen"),
    ]
    async with aiormq.connect(url_of(user, url)) as connection:
        for attempt in attempts:
            with pytest.raises(ChannelAccessRefused, match=f"to queue '{queue}' in vhost"):
                await attempt(await connection.channel())


async def _ignored(_message: object) -> None: ...


@pytest.mark.connected
async def test_a_management_api_that_refuses_is_told_without_its_password() -> None:
    with pytest.raises(BrokerUnavailable) as told:
        await apply_users("http://root:sesame@127.0.0.1:1", "/", POLYCODE, {"shop": "s3cret"})
    wrong = RABBIT_MANAGEMENT_URL.replace("guest:guest@", "guest:sesame@")
    with pytest.raises(BrokerUnavailable) as refused:
        await apply_users(wrong, "/", POLYCODE, {"shop": "s3cret"})
    texts = f"{told.value!r} {told.value.__cause__!r} {refused.value!r} {refused.value.__cause__!r}"
    assert "sesame" not in texts
    assert "s3cret" not in texts


async def test_a_user_that_the_topology_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="no deployable named runner"):
        await apply_users("http://127.0.0.1:1", "/", POLYCODE, {"runner": "s3cret"})
