"""F20: dead letters whose queue is missing or full wait where they were, and come when it is back or has room."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.system.meddling import RabbitMeddler, ready
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

PARTS = "real"
COMMANDS, DEAD = "shop.commands", "shop.commands.dead"
FULL_AT, FILLED_WITHIN = 1, 5


def missing(broker: RabbitMeddler) -> None:
    """The queue, and the exchange before it."""
    broker.delete(DEAD)
    broker.call("DELETE", f"exchanges/{broker.vhost}/{DEAD}")


def full(broker: RabbitMeddler) -> None:
    """RabbitMQ lets in one or two more than it was told."""
    broker.limit(DEAD, {"max-length": FULL_AT})
    for _ in range(FILLED_WITHIN):
        try:
            broker.put(DEAD, {"id": "of whom nothing is known"}, b"{}")
        except httpx.HTTPStatusError:  # refused
            return
    raise AssertionError(f"{DEAD} takes more than {FILLED_WITHIN} messages")


@pytest.mark.parametrize("target", [missing, full])
def test_f20_dead_letters_that_find_no_place_stay_in_their_queue_and_are_parked_when_there_is_one(
    scene: Scene, target: Callable[[RabbitMeddler], None]
) -> None:
    broker = scene.meddler
    assert isinstance(broker, RabbitMeddler)
    buyers, item = [scene.buyer() for _ in range(3)], scene.item(left=3)
    scene.shop.arm("shop.before_commit=hang:120")
    scene.ask(*(buyer.wish(item) for buyer in buyers))
    until(lambda: all(scene.state(buyer, item) == "DEBITED" for buyer in buyers), "all debited")
    until(lambda: not scene.books.read().unpublished, "all commands at the broker")
    scene.account.kill()  # what it asked is not asked again
    scene.shop.kill()
    until(lambda: ready(broker.url, COMMANDS) >= len(buyers), "a command of each purchase")
    target(broker)
    sent = reject_all(broker, COMMANDS)
    until(lambda: kept(broker, COMMANDS) == len(sent), "all dead letters in their queue", poll_s=0.2)
    scene.shop.start()
    until(lambda: scene.parked(COMMANDS).keys() >= sent, "all dead letters parked")
    assert {scene.parked(COMMANDS)[one]["reason"] for one in sent} == {f"dead letter: rejected in {COMMANDS}"}
    again = {"ids": [scene.parked(COMMANDS)[one]["id"] for one in sent], "why": "there is a place for them again"}
    assert scene.system.operate("shop", "POST", "/internal/parked/redrive", again).json == {"count": len(sent)}
    until(lambda: not scene.parked(COMMANDS).keys() & sent, "all dead letters handled")
    assert len(scene.books.read().decisions) >= len(buyers)
    scene.account.start()
    books = scene.ends("COMPLETED", *((buyer, item) for buyer in buyers))
    assert books.stock[item]["available"] == 0


def reject_all(broker: RabbitMeddler, queue: str) -> set[str]:
    """As a consumer that cannot stand them; their message ids."""
    at_most = {"count": 100, "ackmode": "reject_requeue_false", "encoding": "auto"}
    taken = broker.call("POST", f"queues/{broker.vhost}/{queue}/get", at_most)
    return {message["properties"]["message_id"] for message in taken}


def kept(broker: RabbitMeddler, queue: str) -> int:
    """Dead letters of it that have no place; the broker counts them every five seconds."""
    return int(broker.call("GET", f"queues/{broker.vhost}/{queue}").get("messages_dlx", 0))
