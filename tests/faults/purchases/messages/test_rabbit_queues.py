"""F15, F16, F18, F19: queues of RabbitMQ that are deleted or full, and a message that kills whoever takes it."""

import signal
from collections.abc import Mapping
from typing import Any

import pytest

from extracted.shop.worker import PREFETCH
from tests.support.system.meddling import RabbitMeddler
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

PARTS = "real"
COMMANDS = "shop.commands"


def meddler(scene: Scene) -> RabbitMeddler:
    assert isinstance(scene.meddler, RabbitMeddler)
    return scene.meddler


def test_f16_a_queue_that_is_deleted_under_its_consumer_is_made_again_and_consumed(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item()
    meddler(scene).delete(COMMANDS)
    scene.ask(buyer.wish(item), tries=3)
    scene.ends("COMPLETED", (buyer, item))


@pytest.mark.parametrize("queue", ["account.purchases", "account.decisions"])
def test_f15_a_deleted_queue_loses_what_lay_in_it_and_the_purchase_ends_all_the_same(scene: Scene, queue: str) -> None:
    buyer, item = scene.buyer(), scene.item()
    with scene.asking(buyer.wish(item), tries=5):
        meddler(scene).delete(queue)
    scene.ask(buyer.wish(item), tries=5)
    scene.ends("COMPLETED", (buyer, item))


def test_f19_a_full_queue_takes_no_more_and_what_it_refused_waits_in_the_outbox(scene: Scene) -> None:
    meddler(scene).limit(COMMANDS, {"max-length": 1})
    scene.shop.arm("shop.decided=hang:120")
    buyers, item = [scene.buyer() for _ in range(PREFETCH + 8)], scene.item()
    scene.ask(*(buyer.wish(item) for buyer in buyers), tries=3)
    until(lambda: len(debited(scene, item)) == len(buyers), "all debited")
    until(lambda: "a queue is full" in scene.account.said(), "Account told that the queue is full")
    assert scene.unpublished("account"), "a message that was refused was taken for published"
    scene.shop.kill()
    scene.shop.start()
    scene.ends("COMPLETED", *((buyer, item) for buyer in buyers))


def debited(scene: Scene, item: str) -> list[str]:
    return [row["id"] for row in scene.books.read().purchases.values() if row["item_id"] == item]


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
    dead = until(lambda: delivered_too_often(scene), "its dead letter parked")
    assert {row["queue"] for row in dead} == {COMMANDS}


def delivered_too_often(scene: Scene) -> list[Mapping[str, Any]]:
    return [row for row in scene.books.read().parked if row["reason"].startswith("dead letter: delivery_limit")]
