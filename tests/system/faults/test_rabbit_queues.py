"""F15, F16, F18 to F20: queues of RabbitMQ that are deleted or full, and a message that kills whoever takes it."""

import signal
from contextlib import suppress

import httpx
import pytest

from tests.system.meddling import RabbitMeddler, ready
from tests.system.scene import Scene
from tests.system.waiting import until

PARTS = "real"
COMMANDS = "shop.commands"


def meddler(scene: Scene) -> RabbitMeddler:
    assert isinstance(scene.meddler, RabbitMeddler)
    return scene.meddler


def unpublished(scene: Scene) -> bool:
    return any(one.startswith("account") for one in scene.books.read().unpublished)


def test_f16_a_queue_that_is_deleted_under_its_consumer_is_made_again_and_consumed(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item()
    meddler(scene).delete(COMMANDS)
    scene.ask(buyer.wish(item), tries=3)
    scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"


@pytest.mark.parametrize("queue", ["account.purchases", "account.decisions"])
def test_f15_a_deleted_queue_loses_what_lay_in_it_and_the_purchase_ends_all_the_same(scene: Scene, queue: str) -> None:
    buyer, item = scene.buyer(), scene.item()
    with scene.asking(buyer.wish(item), tries=5):
        meddler(scene).delete(queue)
    scene.ask(buyer.wish(item), tries=5)
    scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"


def test_f19_a_full_queue_takes_no_more_and_nothing_is_lost_or_published_in_vain(scene: Scene) -> None:
    meddler(scene).limit(COMMANDS, {"max-length": 2})
    scene.shop.kill()
    buyers, item = [scene.buyer() for _ in range(6)], scene.item()
    with scene.asking(*(buyer.wish(item) for buyer in buyers), tries=3):
        scene.shop.start("shop.before_commit=hang:3")
    until(lambda: ready(scene.system.broker_url, COMMANDS) or unpublished(scene), "commands that wait")
    scene.shop.arm()
    scene.at_rest()
    assert {scene.state(buyer, item) for buyer in buyers} == {"COMPLETED"}


def test_f18_a_message_that_kills_whoever_takes_it_is_parked_and_its_neighbours_live(scene: Scene) -> None:
    meddler(scene).limit(COMMANDS, {"delivery-limit": 1})
    buyers, item = [scene.buyer() for _ in range(3)], scene.item()
    scene.shop.arm("shop.before_commit=kill")
    scene.ask(*(buyer.wish(item) for buyer in buyers))
    assert scene.shop.wait() == -signal.SIGKILL
    scene.shop.launch("shop.before_commit=kill")
    assert scene.shop.wait() == -signal.SIGKILL
    scene.shop.start()
    scene.at_rest()
    assert {scene.state(buyer, item) for buyer in buyers} == {"COMPLETED"}, "asked again under a new id, each was sold"
    dead = [row for row in scene.books.read().parked if row["reason"].startswith("dead letter: delivery_limit")]
    assert {row["queue"] for row in dead} == {COMMANDS}


def test_f20_a_dead_letter_stays_where_it_is_until_its_queue_has_room(scene: Scene) -> None:
    meddler(scene).limit(COMMANDS, {"delivery-limit": 1})
    meddler(scene).limit(f"{COMMANDS}.dead", {"max-length": 1})
    buyer, item = scene.buyer(), scene.item()
    scene.shop.arm("shop.before_commit=kill")
    scene.ask(buyer.wish(item))
    assert scene.shop.wait() == -signal.SIGKILL
    filling = filled(scene, f"{COMMANDS}.dead")
    scene.shop.launch("shop.before_commit=kill")
    assert scene.shop.wait() == -signal.SIGKILL
    scene.shop.start()
    scene.at_rest()
    until(lambda: filling & parked(scene), "what filled the queue parked")
    until(lambda: parked(scene) - filling, "the dead letter behind it parked")
    assert scene.state(buyer, item) == "COMPLETED"


def filled(scene: Scene, queue: str) -> set[str]:
    """As many messages as it takes."""
    sent: set[str] = set()
    with suppress(httpx.HTTPStatusError):
        while len(sent) < 10:
            sent.add(scene.send(queue, "shop.cancel_purchase.v1", {}))
    assert len(sent) < 10, "it is never full"
    return sent


def parked(scene: Scene) -> set[str]:
    return {row["message_id"] for row in scene.books.read().parked if row["reason"].startswith("dead letter")}
