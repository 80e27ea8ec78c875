"""F28: a consumer that is slow, with a backlog before it."""

from tests.support.system.crowd import by_key
from tests.support.system.meddling import ready
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

PARTS = "real"
BACKLOG = 200
GROWS_MIB = 60


def memory_mib(scene: Scene) -> dict[str, float]:
    return {process.name: process.rss / 2**20 for process in (scene.account, scene.shop)}


def test_f28_a_backlog_before_a_slow_shop_holds_up_no_request_and_fills_no_memory(scene: Scene) -> None:
    buyers, items = [scene.buyer(points=10_000) for _ in range(10)], [scene.item() for _ in range(BACKLOG // 10)]
    scene.ask(by_key(buyers[0].user_id, buyers[0].token, scene.item()))
    before = memory_mib(scene)
    scene.shop.arm("shop.decided=hang:50")
    orders = scene.ask(*(buyer.wish(item) for item in items for buyer in buyers), tries=3)
    assert {order.status for order in orders} <= {202, 204}
    until(lambda: ready(scene.system.broker_url, "account.purchases") == 0, "all debited while Shop is slow")
    until(lambda: ready(scene.system.broker_url, "shop.commands") > BACKLOG // 4, "a backlog before Shop")
    after = memory_mib(scene)
    assert {name: after[name] - before[name] for name in after if after[name] - before[name] > GROWS_MIB} == {}
    scene.shop.arm()
    until(lambda: ready(scene.system.broker_url, "shop.commands") == 0, "the backlog gone", within_s=240)
    scene.at_rest()
