"""F15: nothing takes the commands to Shop."""

from datetime import UTC, datetime, timedelta

from extracted.account.purchases.service.buy import STALE_OUTBOX
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

COMMANDS = "shop.commands"


def unroutable(scene: Scene) -> int:
    return scene.account.said().count("no queue is bound")


def test_f15_what_no_queue_takes_waits_in_the_outbox_until_one_does(scene: Scene) -> None:
    buyer, item, before = scene.buyer(), scene.item(), unroutable(scene)
    scene.meddler.looked_after(COMMANDS)
    scene.meddler.unbind(COMMANDS)
    scene.ask(buyer.wish(item))
    scene.reaches(buyer, item, "DEBITED")
    until(lambda: unroutable(scene) > before, "Account told that no queue takes it")
    assert scene.unpublished("account"), "a message that is nowhere was taken for published"
    scene.meddler.heal()
    scene.ends("COMPLETED", (buyer, item))


def test_f15_while_commands_do_not_get_away_nobody_who_waits_is_debited(scene: Scene) -> None:
    first, second, item = scene.buyer(), scene.buyer(), scene.item()
    scene.meddler.looked_after(COMMANDS)
    scene.meddler.unbind(COMMANDS)
    scene.ask(first.wish(item))
    scene.reaches(first, item, "DEBITED")
    stale_at = datetime.now(UTC) + STALE_OUTBOX + timedelta(seconds=0.5)
    until(lambda: datetime.now(UTC) > stale_at, "a stale outbox")
    (order,) = scene.ask(second.call(item))
    assert order.status == 500
    assert scene.purchase(second, item) is None
    scene.meddler.heal()
    scene.at_rest()
