"""F18, F24, F26, F34: messages that nobody understands, that kill whoever takes them, that come from another time."""

import json
import signal
import uuid

from tests.support.system.scene import Buyer, Scene
from tests.support.system.waiting import until

DECREASE, DECREASED = "shop.decrease_quantity.v1", "shop.quantity_decreased.v1"
POISON: dict[str, tuple[str, bytes]] = {
    "no JSON": (DECREASED, b"{"),
    "no object": (DECREASED, b"[1]"),
    "an unknown type": ("shop.quantity_doubled.v1", b"{}"),
    "an unknown version": ("shop.quantity_decreased.v2", b'{"purchaseId": "x"}'),
    "no type of ours": ("Doubled", b"{}"),
    "a field that is gone": (DECREASED, b'{"purchase": "x"}'),
    "a purchase that nobody knows": (DECREASED, json.dumps({"purchaseId": str(uuid.uuid4())}).encode()),
    "a reason that nobody knows": ("shop.quantity_refused.v1", b'{"purchaseId": "x", "reason": "mood"}'),
    "a megabyte": (DECREASED, b'{"purchaseId": "' + b"x" * 1_000_000 + b'"}'),
}


def put(scene: Scene, queue: str, kind: str, body: bytes) -> str:
    message_id = str(uuid.uuid4())
    scene.meddler.put(queue, {"id": message_id, "type": kind, "time": "2026-11-24T00:00:00+00:00"}, body)
    return message_id


def test_f18_poison_is_parked_with_its_reason_and_its_neighbours_are_bought(scene: Scene) -> None:
    buyer, items = scene.buyer(), [scene.item() for _ in range(3)]
    with scene.asking(*(buyer.wish(item) for item in items)):
        sent = {name: put(scene, "account.decisions", *poison) for name, poison in POISON.items()}
    until(lambda: scene.parked("account.decisions").keys() >= set(sent.values()), "all poison parked")
    found = scene.parked("account.decisions")
    assert all(found[message_id]["reason"] for message_id in sent.values())
    assert {found[message_id]["next_attempt_at"] for message_id in sent.values()} == {None}, "tried in vain"
    scene.ends("COMPLETED", *((buyer, item) for item in items))


def test_f18_a_command_that_belies_its_purchase_is_parked(scene: Scene) -> None:
    buyer, thief, item, dear = scene.buyer(), scene.buyer(), scene.item(), scene.item(cost=1000)
    scene.ask(buyer.wish(item))
    scene.at_rest()
    forged = {"purchaseId": scene.purchase_id(buyer, item), "userId": thief.user_id, "itemId": dear}
    sent = scene.send("shop.commands", DECREASE, forged)
    until(lambda: sent in scene.parked("shop.commands"), "the forgery parked")
    scene.at_rest()


def test_f18_a_handler_that_always_fails_holds_up_no_other_purchase(scene: Scene) -> None:
    scene.shop.arm("shop.before_commit=raise")
    failing, item = scene.buyer(), scene.item()
    scene.ask(failing.wish(item))
    until(lambda: any(not row["reason"].startswith("not") for row in scene.parked("shop.commands").values()), "it")
    scene.shop.arm()
    other = scene.buyer()
    scene.ask(other.wish(item))
    scene.reaches(other, item, "COMPLETED")
    scene.ends("COMPLETED", (failing, item))


def test_f26_a_field_that_nobody_knows_is_ignored(scene: Scene) -> None:
    scene.shop.arm("shop.before_commit=kill")
    buyer, item = scene.buyer(), scene.item()
    scene.ask(buyer.wish(item))
    assert scene.shop.wait() == -signal.SIGKILL
    scene.meddler.lose("shop.commands")
    of_tomorrow = {"purchaseId": scene.purchase_id(buyer, item), "userId": buyer.user_id, "itemId": item, "colour": 7}
    scene.send("shop.commands", DECREASE, of_tomorrow)
    scene.shop.start()
    scene.ends("COMPLETED", (buyer, item))


def test_f24_a_decision_on_a_purchase_that_a_restore_has_lost_is_parked(scene: Scene) -> None:
    scene.shop.arm("shop.before_commit=kill")
    buyer, item = scene.buyer(), scene.item()
    orders = scene.ask(buyer.wish(item))
    assert scene.shop.wait() == -signal.SIGKILL
    scene.account.stop()  # killed, it could get the request once more, and buy anew
    lost = scene.purchase(buyer, item)
    assert lost is not None
    sent = lost["asks"] - unsent(scene, lost["id"])
    restored(scene, buyer, lost["id"])
    scene.orders = [order for order in scene.orders if order not in orders]
    scene.shop.launch()
    scene.account.start()
    scene.shop.listening()
    until(lambda: unknown(scene, lost["id"]) >= sent, "each decision on it parked")
    scene.emptied()  # a command that came twice would be decided anew
    for table, key in ((scene.table("shop", "decisions"), "purchase_id"), ("transactions", "id")):
        scene.run(f"DELETE FROM {table} WHERE {key} = :id", {"id": lost["id"]})
    scene.ask(buyer.wish(item), tries=5)
    scene.ends("COMPLETED", (buyer, item))


def unknown(scene: Scene, purchase_id: str) -> int:
    """Replies about it that are parked, one for each command."""
    rows = scene.parked("account.decisions").values()
    return sum("does not exist here" in row["reason"] and purchase_id.encode() in bytes(row["body"]) for row in rows)


def unsent(scene: Scene, purchase_id: str) -> int:
    """Commands about it that Account was killed before sending."""
    return scene.count(f"{scene.table('account', 'outbox')} WHERE body LIKE '%{purchase_id}%' AND published_at IS NULL")


def restored(scene: Scene, buyer: Buyer, purchase_id: str) -> None:
    """As if from a backup of before that purchase."""
    for table, key in (("purchases", "id"), ("ledger", "purchase_id"), ("purchase_requests", "purchase_id")):
        scene.run(f"DELETE FROM {scene.table('account', table)} WHERE {key} = :id", {"id": purchase_id})
    scene.run(f"DELETE FROM {scene.table('account', 'outbox')} WHERE body LIKE :of_it", {"of_it": f"%{purchase_id}%"})
    scene.run('UPDATE "user" SET points = points + 10 WHERE id = :id', {"id": buyer.user_id})


def test_f34_messages_of_long_ago_come_twice_after_the_inbox_has_forgotten_them(scene: Scene) -> None:
    buyer, late, item, gone = scene.buyer(), scene.buyer(), scene.item(left=5), scene.item(left=0)
    scene.ask(buyer.wish(item), late.wish(gone))
    before, _ = scene.at_rest()
    for service in ("account", "shop"):
        scene.run(f"DELETE FROM {scene.table(service, 'inbox')}")
    scene.restock(gone, 3)
    for _ in range(2):
        again(scene, buyer, item)
        again(scene, late, gone)
    scene.emptied()
    scene.at_rest()
    after, _ = scene.at_rest()
    assert after.points == before.points
    assert [scene.state(buyer, item), scene.state(late, gone)] == ["COMPLETED", "REFUNDED"]
    assert (after.stock[item]["available"], after.stock[gone]["available"]) == (4, 3)


def again(scene: Scene, buyer: Buyer, item: str) -> None:
    """The request under its own id, the command and its cancel under new ones."""
    purchase_id = scene.purchase_id(buyer, item)
    scene.send("account.purchases", "purchase.requested.v1", {"itemId": item}, id=purchase_id, subject=buyer.user_id)
    command = {"purchaseId": purchase_id, "userId": buyer.user_id, "itemId": item}
    for kind in (DECREASE, "shop.cancel_purchase.v1"):
        scene.send("shop.commands", kind, command, subject=buyer.user_id, request_id=purchase_id)
