"""F15: nothing takes the commands to Shop."""

from datetime import UTC, datetime, timedelta

from extracted.account.buying import STALE_OUTBOX
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
    stale_at = datetime.now(UTC) + STALE_OUTBOX + timedelta(seconds=0.5)

    def is_stale() -> bool:
        scene.meddler.unbind(COMMANDS)  # its consumer binds it again from time to time
        return datetime.now(UTC) > stale_at

    until(is_stale, "a stale outbox")
    (order,) = scene.ask(second.call(item))
    assert order.status == 500
    assert scene.purchase(second, item) is None
    scene.meddler.heal()
    scene.at_rest()
