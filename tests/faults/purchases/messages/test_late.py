"""F8 and F9: time is up before an answer comes, and what was on its way comes after all."""

from tests.support.system.scene import IMPATIENT, Scene
from tests.support.system.waiting import until

CANCEL_AFTER_S = IMPATIENT
LATE_S = IMPATIENT + 8.0


def test_f08_a_cancel_overtakes_the_decrease_which_is_refused_when_it_comes(scene: Scene) -> None:
    scene.meddler.looked_after("shop.commands")
    scene.meddler.delay("shop.commands", "shop.decrease_quantity.v1", LATE_S)
    buyer, item = scene.buyer(), scene.item(left=5)
    scene.ask(buyer.wish(item))
    scene.at_rest()
    scene.emptied()
    books = scene.ends("REFUNDED", (buyer, item))
    assert (books.points[buyer.user_id], books.stock[item]["available"]) == (100, 5)


def test_f08_a_refusal_stays_one_though_the_item_is_there_when_shop_is_asked_again(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item(left=0)
    scene.ask(buyer.wish(item))
    scene.reaches(buyer, item, "REFUNDED")
    scene.restock(item, 5)
    late = {"purchaseId": scene.purchase_id(buyer, item), "userId": buyer.user_id, "itemId": item}
    scene.send("shop.commands", "shop.decrease_quantity.v1", late)
    scene.emptied()
    books, _ = scene.at_rest()
    assert (books.points[buyer.user_id], books.stock[item]["available"]) == (100, 5)


def test_f09_time_is_up_while_the_reply_that_it_was_sold_is_on_its_way(scene: Scene) -> None:
    scene.meddler.looked_after("account.decisions")
    scene.meddler.delay("account.decisions", "shop.quantity_decreased.v1", LATE_S)
    buyer, item = scene.buyer(), scene.item(left=5)
    scene.ask(buyer.wish(item))
    scene.reaches(buyer, item, "CANCELLING")
    assert scene.books.read().points[buyer.user_id] == 90, "points went back by the clock alone"
    scene.reaches(buyer, item, "COMPLETED", "REFUNDED")
    scene.emptied()
    books = scene.ends("COMPLETED", (buyer, item))
    assert books.stock[item]["available"] == 4


def test_f08_a_lost_cancel_is_asked_again_until_shop_answers(scene: Scene) -> None:
    scene.shop.arm("shop.before_commit=kill")
    buyer, item = scene.buyer(), scene.item()
    scene.ask(buyer.wish(item))
    scene.shop.wait()
    scene.reaches(buyer, item, "CANCELLING")
    until(lambda: not scene.books.read().unpublished, "the cancel published")
    scene.meddler.lose("shop.commands")
    scene.shop.start()
    books = scene.ends("REFUNDED", (buyer, item))
    assert books.points[buyer.user_id] == 100
