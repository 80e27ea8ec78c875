"""F20: dead letters whose queue is missing or full wait where they were, and come when it is back or has room."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

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
    ask(broker, "DELETE", f"exchanges/{{vhost}}/{DEAD}")


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
    until(lambda: parked(scene).keys() >= sent, "all dead letters parked")
    assert {parked(scene)[one]["reason"] for one in sent} == {f"dead letter: rejected in {COMMANDS}"}
    again = {"ids": [parked(scene)[one]["id"] for one in sent], "why": "there is a place for them again"}
    assert scene.system.operate("shop", "POST", "/internal/parked/redrive", again).json == {"count": len(sent)}
    until(lambda: not parked(scene).keys() & sent, "all dead letters handled")
    assert len(scene.books.read().decisions) >= len(buyers)
    scene.account.start()
    books, _ = scene.at_rest()
    assert {scene.state(buyer, item) for buyer in buyers} == {"COMPLETED"}
    assert books.stock[item]["available"] == 0


def reject_all(broker: RabbitMeddler, queue: str) -> set[str]:
    """As a consumer that cannot stand them; their message ids."""
    at_most = {"count": 100, "ackmode": "reject_requeue_false", "encoding": "auto"}
    taken = ask(broker, "POST", f"queues/{{vhost}}/{queue}/get", at_most)
    return {message["properties"]["message_id"] for message in taken}


def kept(broker: RabbitMeddler, queue: str) -> int:
    """Dead letters of it that have no place; the broker counts them every five seconds."""
    return int(ask(broker, "GET", f"queues/{{vhost}}/{queue}").get("messages_dlx", 0))


def parked(scene: Scene) -> dict[str, Mapping[str, Any]]:
    """By message id."""
    return {row["message_id"]: row for row in scene.books.read().parked if row["queue"] == COMMANDS}


def ask(broker: RabbitMeddler, method: str, path: str, body: object = None) -> Any:
    """RabbitMQ's management API."""
    vhost = quote(urlsplit(broker.url).path[1:], safe="")
    url = f"{broker.management_url}/api/{path.format(vhost=vhost)}"
    answer = httpx.request(method, url, json=body, timeout=10).raise_for_status()
    return answer.json() if answer.content else None
