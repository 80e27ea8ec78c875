"""F1 to F6: SIGKILL at the points where a transaction, a publish and an acknowledgement part."""

import signal

import pytest

from tests.support.system.crowd import Order, Wish
from tests.support.system.processes import Process
from tests.support.system.scene import Buyer, Scene
from tests.support.system.waiting import until

FAILS_TIMES = 2
TRIES = 12
"""A buyer asks so often with the same key: for longer than a start takes."""
KILLS = {
    "f01 account, after the debit and before it publishes": ("account", "account.debited"),
    "f02 account's relay, between the confirm and its mark": ("account", "relay.confirmed"),
    "f02 shop's relay, between the confirm and its mark": ("shop", "relay.confirmed"),
    "f03 shop, after it has decided and before it acknowledges": ("shop", "shop.decided"),
    "f04 account, before the debit commits": ("account", "account.before_debit_commit"),
    "f05 account, before the commit of shop's reply": ("account", "account.before_settle_commit"),
    "f05 account, after the commit of shop's reply": ("account", "account.settled"),
    "f05 shop, before its decision commits": ("shop", "shop.before_commit"),
}


def killed_at(scene: Scene, service: str, failpoint: str, *wishes: Wish) -> list[Order]:
    """The service dies there while somebody buys, and is started again; what the buyers were told in the end."""
    process: Process = getattr(scene.system, service)
    process.arm(f"{failpoint}=kill")
    with scene.asking(*wishes, tries=TRIES) as asked:
        assert process.wait() == -signal.SIGKILL
        process.start()
    return asked.result()


@pytest.mark.parametrize(("service", "failpoint"), KILLS.values(), ids=KILLS.keys())
def test_the_last_one_of_an_item_is_paid_once_and_is_the_buyers_though_a_service_is_killed(
    scene: Scene, service: str, failpoint: str
) -> None:
    buyer, last = scene.buyer(points=30), scene.item(left=1)
    killed_at(scene, service, failpoint, buyer.wish(last))
    books = scene.ends("COMPLETED", (buyer, last))
    assert books.points[buyer.user_id] == 20


def sold_out(scene: Scene) -> tuple[Buyer, str]:
    return scene.buyer(points=30), scene.item(left=0)


def test_f06_account_is_killed_during_the_refund(scene: Scene) -> None:
    buyer, item = sold_out(scene)
    killed_at(scene, "account", "account.before_refund_commit", buyer.wish(item))
    books = scene.ends("REFUNDED", (buyer, item))
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
    books = scene.ends("REFUNDED", (buyer, item))
    assert books.points[buyer.user_id] == 30
    until(lambda: not scene.books.read().parked, "the parked reply handled")
