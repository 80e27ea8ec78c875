"""F15, F16, F19: queues that are missing, unbound, deleted or full while purchases go on."""

import pytest

from tests.system.meddling import RabbitMeddler, ready
from tests.system.scene import Scene
from tests.system.waiting import until

COMMANDS = "shop.commands"


def unpublished(scene: Scene, service: str) -> list[str]:
    return [one for one in scene.books.read().unpublished if one.startswith(service)]


def test_f15_what_no_queue_takes_waits_in_the_outbox_until_one_does(scene: Scene) -> None:
    scene.meddler.unbind(COMMANDS)
    buyer, item = scene.buyer(), scene.item()
    scene.ask(buyer.wish(item))
    scene.reaches(buyer, item, "DEBITED")
    until(lambda: "Unroutable" in scene.account.said(), "Account told that no queue takes it")
    assert unpublished(scene, "account"), "a message that is nowhere was taken for published"
    scene.meddler.heal()
    scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"


def test_f15_while_commands_do_not_get_away_nobody_who_waits_is_debited(scene: Scene) -> None:
    scene.meddler.unbind(COMMANDS)
    first, second, item = scene.buyer(), scene.buyer(), scene.item()
    scene.ask(first.wish(item))
    scene.reaches(first, item, "DEBITED")
    until(lambda: scene.ask(second.call(item))[0].status == 500 and not scene.purchase(second, item), "a refusal", 30)
    assert scene.books.read().points[second.user_id] == 100
    scene.meddler.heal()
    scene.at_rest()


@pytest.fixture
def rabbit(scene: Scene) -> RabbitMeddler:
    """On real parts alone."""
    if not isinstance(scene.meddler, RabbitMeddler):
        pytest.skip("the tables of the embedded broker are not deleted by anybody")
    return scene.meddler


def test_f16_a_queue_that_is_deleted_under_its_consumer_is_made_again_and_consumed(
    scene: Scene, rabbit: RabbitMeddler
) -> None:
    buyer, item = scene.buyer(), scene.item()
    rabbit.delete(COMMANDS)
    scene.ask(buyer.wish(item), tries=3)
    scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"


@pytest.mark.parametrize("queue", ["account.purchases", "account.decisions"])
def test_f15_a_deleted_queue_loses_what_lay_in_it_and_the_purchase_ends_all_the_same(
    scene: Scene, rabbit: RabbitMeddler, queue: str
) -> None:
    buyer, item = scene.buyer(), scene.item()
    with scene.asking(buyer.wish(item), tries=5):
        rabbit.delete(queue)
    scene.ask(buyer.wish(item), tries=5)
    scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"


def test_f19_a_full_queue_takes_no_more_and_nothing_is_lost_or_published_in_vain(
    scene: Scene, rabbit: RabbitMeddler
) -> None:
    rabbit.limit(COMMANDS, {"max-length": 2})
    scene.shop.kill()
    buyers, item = [scene.buyer() for _ in range(6)], scene.item()
    with scene.asking(*(buyer.wish(item) for buyer in buyers), tries=3):
        scene.shop.start("shop.before_commit=hang:3")
    until(lambda: ready(scene.system.broker_url, COMMANDS) or unpublished(scene, "account"), "commands that wait")
    scene.shop.arm()
    scene.at_rest()
    assert {scene.state(buyer, item) for buyer in buyers} == {"COMPLETED"}
