"""F18: messages and requests of ten megabytes: refused or parked, and forgotten by whoever had them in memory."""

import asyncio
import uuid
from functools import partial

import aiormq
from aiormq.abc import AbstractConnection
from pamqp.commands import Basic

from tests.faults.purchases.messages.test_poison import DECREASED, put
from tests.support.system.meddling import RabbitMeddler
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

MB = 1_000_000
HUGE = b'{"purchaseId": "' + b"x" * (10 * MB) + b'"}'
QUEUE, TIME = "account.decisions", "2026-11-24T00:00:00+00:00"
NUMBER = 12


def put_huge(scene: Scene) -> str:
    """Its message id."""
    if not isinstance(scene.meddler, RabbitMeddler):
        return put(scene, QUEUE, DECREASED, HUGE)
    message_id = str(uuid.uuid4())
    asyncio.run(published(scene.meddler.url, message_id))  # the management API takes no such body
    return message_id


async def published(url: str, message_id: str) -> None:
    connection: AbstractConnection = await aiormq.connect(url)
    channel = await connection.channel(publisher_confirms=True)
    properties = Basic.Properties(message_id=message_id, message_type=DECREASED, headers={"time": TIME})
    await channel.basic_publish(HUGE, routing_key=QUEUE, properties=properties)
    await connection.close()


def test_f18_messages_of_ten_megabytes_are_parked_and_nobody_grows_by_them(scene: Scene) -> None:
    buyer, items, grown = scene.buyer(points=10 * NUMBER), [scene.item() for _ in range(NUMBER)], []
    with scene.asking(*(buyer.wish(item) for item in items)):
        for number in range(1, NUMBER + 1):
            put_huge(scene)
            until(partial(has_parked, scene, number), "each parked")
            grown.append(scene.account.rss)
    rows = scene.parked(QUEUE).values()
    assert {(row["size"], row["body"], row["next_attempt_at"]) for row in rows} == {(len(HUGE), None, None)}
    assert {row["reason"] for row in rows} == {f"not understood: the body has {len(HUGE)} bytes; wanted at most 262144"}
    assert min(grown[-3:]) - max(grown[:3]) < NUMBER * len(HUGE) / 3
    scene.ends("COMPLETED", *((buyer, item) for item in items))


def has_parked(scene: Scene, number: int) -> bool:
    return scene.count(f"{scene.table('account', 'parked')} WHERE size = {len(HUGE)}") == number


def test_f18_a_request_of_ten_megabytes_is_refused_by_the_gateway(scene: Scene) -> None:
    buyer, item, before = scene.buyer(), scene.item(), scene.system.gateway.rss
    body = {"itemId": item, "why": "x" * (10 * MB)}
    assert scene.system.ask("POST", "/purchases", buyer.token, body).status == 413
    assert scene.system.gateway.rss - before < 5 * MB
    scene.ask(buyer.wish(item))
    scene.ends("COMPLETED", (buyer, item))
