"""F35 and F36: a service is away in the middle of a purchase, and what is sold changes meanwhile."""

import pytest

from examples.monolith.storage import tables
from tests.support.system.scene import IMPATIENT, Buyer, Scene

PARTS = "real"
CANCEL_AFTER_S = IMPATIENT


def halfway(scene: Scene, buyer: Buyer, item: str) -> None:
    """Debited; Shop is gone with the command."""
    scene.shop.arm("shop.before_commit=kill")
    scene.ask(buyer.wish(item))
    scene.shop.wait()
    assert scene.state(buyer, item) in ("DEBITED", "CANCELLING")


def test_f35_shop_is_away_until_the_purchase_is_given_up_and_decides_all_the_same(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item(left=1)
    halfway(scene, buyer, item)
    scene.reaches(buyer, item, "CANCELLING")
    scene.shop.start()
    books, _ = scene.at_rest()
    sold = scene.state(buyer, item) == "COMPLETED"  # the command came before the cancel, unless it was taken late
    assert books.points[buyer.user_id] == (90 if sold else 100)
    assert books.stock[item]["available"] == (0 if sold else 1)


@pytest.mark.parametrize("first", ["account", "shop"])
def test_f35_both_are_away_and_come_back_one_after_the_other(scene: Scene, first: str) -> None:
    buyer, item = scene.buyer(), scene.item()
    halfway(scene, buyer, item)
    scene.account.kill()
    for process in (scene.account, scene.shop) if first == "account" else (scene.shop, scene.account):
        process.start()
    scene.at_rest()
    assert scene.state(buyer, item) in ("COMPLETED", "REFUNDED")


def test_f36_the_price_is_frozen_at_the_debit_and_a_withdrawn_item_is_sold(scene: Scene) -> None:
    buyers, dearer, gone = (scene.buyer(), scene.buyer()), scene.item(cost=10), scene.item(cost=30)
    scene.shop.arm("shop.before_commit=hang:50")
    scene.ask(buyers[0].wish(dearer), buyers[1].wish(gone))
    for buyer, item in zip(buyers, (dearer, gone), strict=True):
        scene.reaches(buyer, item, "DEBITED", "CANCELLING")
    scene.shop.kill()
    scene.system.data.change_item(dearer, cost=50)
    scene.system.data.remove_item(gone)
    scene.shop.start()
    books, _ = scene.at_rest()
    left = [books.points[buyer.user_id] for buyer in buyers]
    states = [scene.state(buyers[0], dearer), scene.state(buyers[1], gone)]
    assert left[0] == (90 if states[0] == "COMPLETED" else 100)
    assert left[1] == (70 if states[1] == "COMPLETED" else 100)


def test_f36_a_user_who_is_deleted_meanwhile_gets_nothing_and_stops_nobody(scene: Scene) -> None:
    buyer, other, item = scene.buyer(), scene.buyer(), scene.item(left=5)
    halfway(scene, buyer, item)
    scene.system.data.delete(tables.users, buyer.user_id)
    scene.shop.start()
    scene.ask(other.wish(item), tries=20)
    books, _ = scene.at_rest()
    assert (scene.state(buyer, item), scene.state(other, item)) == ("REFUNDED", "COMPLETED")
    assert books.stock[item]["available"] == 4
    assert not [row for row in books.transactions.values() if row["user_id"] == buyer.user_id]
