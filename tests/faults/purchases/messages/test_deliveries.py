"""F7 to F11: messages doubled and out of turn; buyers who compete, with each other and with themselves."""

import uuid
from collections import Counter

from tests.support.system.crowd import Wish, mixed
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

REQUESTED = "purchase.requested.v1"
QUEUES = ("account.purchases", "shop.commands", "account.decisions")


def test_f07_every_message_comes_up_to_four_times_and_late(scene: Scene) -> None:
    for queue in QUEUES:
        scene.meddler.repeat(queue, (0.05, 0.4, 1.2))
    buyers = [scene.buyer(points=35) for _ in range(8)]
    items = [scene.item(cost=10, left=3), scene.item(cost=20), scene.item(cost=15, left=1)]
    wishes = mixed(((buyer.user_id, buyer.token) for buyer in buyers), items, 24, seed=7)
    scene.ask(*wishes, tries=3)
    scene.at_rest()
    scene.emptied()
    scene.at_rest()


def test_f09_a_reply_to_a_settled_purchase_changes_nothing(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item()
    scene.ask(buyer.wish(item))
    scene.at_rest()
    settled = scene.purchase_id(buyer, item)
    scene.send("account.decisions", "shop.purchase_cancelled.v1", {"purchaseId": settled})
    scene.send("account.decisions", "shop.quantity_refused.v1", {"purchaseId": settled, "reason": "out_of_stock"})
    scene.emptied()
    seen = scene.buyer(), scene.item()
    scene.ask(seen[0].wish(seen[1]))  # its reply comes after those two
    scene.ends("COMPLETED", (buyer, item))
    assert not scene.books.read().parked


def test_f10_many_buy_the_last_item_and_one_gets_it(scene: Scene) -> None:
    buyers, last = [scene.buyer() for _ in range(12)], scene.item(left=1)
    wishes = [*(buyer.wish(last) for buyer in buyers[:6]), *(buyer.call(last) for buyer in buyers[6:])]
    scene.ask(*wishes, tries=10, at_once=12)
    scene.at_rest()
    states = Counter(scene.state(buyer, last) for buyer in buyers)
    assert states == {"COMPLETED": 1, "REFUNDED": 11}


def test_f10_one_buys_much_at_once_with_points_for_one(scene: Scene) -> None:
    buyer = scene.buyer(points=15)
    items = [scene.item(cost=10) for _ in range(8)]
    orders = scene.ask(*(buyer.wish(item) for item in items), tries=10, at_once=8)
    books, _ = scene.at_rest()
    assert Counter(scene.state(buyer, item) for item in items) == {"COMPLETED": 1, "REJECTED": 7}
    assert books.points[buyer.user_id] == 5
    assert Counter(order.status for order in orders)[204] <= 1


def test_f11_the_same_key_from_two_clients_at_once_is_one_purchase(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item()
    wish = buyer.wish(item)
    orders = scene.ask(*[wish] * 6, tries=10, at_once=6)
    books, _ = scene.at_rest()
    assert len({order.named for order in orders}) == 1
    assert {order.status for order in orders} == {204}
    assert books.points[buyer.user_id] == 90


def test_f11_the_same_key_for_something_else_is_refused_for_ever_and_is_another_users_own(scene: Scene) -> None:
    buyer, other = scene.buyer(), scene.buyer()
    first, second, key = scene.item(), scene.item(), str(uuid.uuid4())
    assert statuses(scene, buyer.wish(first, key), buyer.wish(second, key)) == [204, 409]
    assert statuses(scene, other.wish(second, key), buyer.wish(second, key), buyer.wish(first, key)) == [204, 409, 204]
    books, _ = scene.at_rest()
    assert (books.points[buyer.user_id], books.points[other.user_id]) == (90, 90)


def test_f11_the_same_wish_under_many_keys_at_once_is_paid_once(scene: Scene) -> None:
    """As through several gateways: one alone takes what a user asks for one after the other."""
    scene.account.arm("account.before_debit_commit=hang:1")
    buyer, item = scene.buyer(), scene.item()
    sent = {scene.send("account.purchases", REQUESTED, {"itemId": item}, subject=buyer.user_id) for _ in range(3)}
    until(lambda: sent <= scene.books.read().requests.keys(), "all of them handled")
    scene.account.arm()
    orders = scene.ask(buyer.call(item), tries=5)
    books, _ = scene.at_rest()
    assert books.points[buyer.user_id] == 90
    assert orders[0].status == 201


def statuses(scene: Scene, *wishes: Wish) -> list[int | None]:
    """One after the other."""
    return [order.status for order in scene.ask(*wishes, at_once=1, tries=10)]
