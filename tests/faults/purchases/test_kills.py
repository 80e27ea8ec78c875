"""F1 to F6: SIGKILL at the points where a transaction, a publish and an acknowledgement part."""

import pytest

from tests.faults.purchases.killing import killed_at
from tests.support.system.scene import Buyer, Scene
from tests.support.system.waiting import until

FAILS_TIMES = 2


def bought(scene: Scene, service: str, failpoint: str) -> None:
    """The last one of an item is paid once, and is the buyer's."""
    buyer, last = scene.buyer(points=30), scene.item(left=1)
    killed_at(scene, service, failpoint, buyer.wish(last))
    books, _ = scene.at_rest()
    assert scene.state(buyer, last) == "COMPLETED"
    assert books.points[buyer.user_id] == 20


def test_f01_account_is_killed_after_the_debit_and_before_it_publishes(scene: Scene) -> None:
    bought(scene, "account", "account.debited")


@pytest.mark.parametrize("service", ["account", "shop"])
def test_f02_a_relay_is_killed_between_the_confirm_and_its_mark_so_the_message_goes_out_twice(
    scene: Scene, service: str
) -> None:
    bought(scene, service, "relay.confirmed")


def test_f03_shop_is_killed_after_it_has_decided_and_before_it_acknowledges(scene: Scene) -> None:
    bought(scene, "shop", "shop.decided")


def test_f04_account_is_killed_before_the_debit_commits_so_the_request_is_delivered_again(scene: Scene) -> None:
    bought(scene, "account", "account.before_debit_commit")


@pytest.mark.parametrize("failpoint", ["account.before_settle_commit", "account.settled"])
def test_f05_account_is_killed_about_the_commit_of_shops_reply(scene: Scene, failpoint: str) -> None:
    bought(scene, "account", failpoint)


def test_f05_shop_is_killed_before_its_decision_commits(scene: Scene) -> None:
    bought(scene, "shop", "shop.before_commit")


def sold_out(scene: Scene) -> tuple[Buyer, str]:
    return scene.buyer(points=30), scene.item(left=0)


def test_f06_account_is_killed_during_the_refund(scene: Scene) -> None:
    buyer, item = sold_out(scene)
    killed_at(scene, "account", "account.before_refund_commit", buyer.wish(item))
    books, _ = scene.at_rest()
    assert scene.state(buyer, item) == "REFUNDED"
    assert books.points[buyer.user_id] == 30


def test_f06_a_refund_that_fails_is_tried_again_until_it_works(scene: Scene) -> None:
    buyer, item = sold_out(scene)
    scene.account.arm("account.before_refund_commit=raise")
    scene.ask(buyer.wish(item))

    def attempts() -> int:
        parked = scene.books.read().parked
        return sum(row["attempts"] for row in parked if row["queue"] == "account.decisions")

    until(lambda: attempts() >= FAILS_TIMES, f"{FAILS_TIMES} failed refunds")
    assert scene.state(buyer, item) == "DEBITED", "points went back although the refund failed"
    scene.account.arm()
    books, _ = scene.at_rest()
    assert scene.state(buyer, item) == "REFUNDED"
    assert books.points[buyer.user_id] == 30
    until(lambda: not scene.books.read().parked, "the parked reply handled")
