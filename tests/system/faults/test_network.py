"""F14 and F22: between the services and the broker, or the database, connections are cut, slow, or silent."""

from collections.abc import Callable
from concurrent.futures import wait
from time import monotonic

import pytest

from tests.system.scene import Buyer, Scene
from tests.system.tcp_proxy import TcpProxy, Way
from tests.system.waiting import until

PARTS = "real"
LASTS_S = 3.0
ENDS_WITHIN_S = 35.0

Fault = Callable[[Way], None]
FAULTS: dict[str, Fault] = {
    "cut after 1 byte": lambda way: setattr(way, "cut_after", 1),
    "cut after 700 bytes": lambda way: setattr(way, "cut_after", 700),
    "1 byte a second": lambda way: setattr(way, "bytes_per_s", 1),
    "half-open": lambda way: setattr(way, "held", True),
}


def proxy(scene: Scene, side: str) -> TcpProxy:
    found = getattr(scene, side)
    assert isinstance(found, TcpProxy)
    return found


@pytest.mark.parametrize("side", ["broker", "database"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("fault", FAULTS)
def test_f14_a_bad_line_loses_and_doubles_nothing(scene: Scene, side: str, way: str, fault: str) -> None:
    line = proxy(scene, side)
    buyers, item = [scene.buyer() for _ in range(4)], scene.item(left=3)
    with scene.asking(*(buyer.wish(item) for buyer in buyers), tries=40, at_once=4) as asked:
        FAULTS[fault](getattr(line, way))
        wait([asked], LASTS_S)
        line.heal()
    scene.at_rest()
    assert sorted(str(scene.state(buyer, item)) for buyer in buyers) == ["COMPLETED"] * 3 + ["REFUNDED"]


@pytest.mark.parametrize(("value", "state"), [(b"\x07DEBITED", "DEBITED"), (b"\x09COMPLETED", "COMPLETED")])
def test_f22_a_statement_that_succeeds_and_looks_like_a_failure_has_its_effect_once(
    scene: Scene, value: bytes, state: str
) -> None:
    """`value`: of a parameter, as the driver sends it: its length, and the text."""
    database = proxy(scene, "database")
    buyer, item = scene.buyer(), scene.item(left=5)
    database.up.holds = value, database.down
    with scene.asking(buyer.wish(item), tries=40):
        until(lambda: scene.state(buyer, item) == state, "its effect")
        assert database.down.held
        looks_failed(database)
    sold_once(scene, buyer, item)


def test_f22_a_commit_that_succeeds_and_looks_like_a_failure_has_its_effect_once(scene: Scene) -> None:
    database = proxy(scene, "database")
    buyer, item = scene.buyer(), scene.item(left=5)
    scene.shop.arm("shop.before_commit=hang:2")
    with scene.asking(buyer.wish(item), tries=40):
        until(lambda: "failpoint shop.before_commit is reached" in scene.shop.said(), "a commit to come", poll_s=0.01)
        database.down.held = True
        until(lambda: scene.purchase_id(buyer, item) in scene.books.read().decisions, "the commit")
        scene.shop.arm()
        looks_failed(database)
    sold_once(scene, buyer, item)


def looks_failed(line: TcpProxy) -> None:
    line.cut()
    line.heal()


def sold_once(scene: Scene, buyer: Buyer, item: str) -> None:
    books, _ = scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"
    assert (books.points[buyer.user_id], books.stock[item]["available"]) == (90, 4)


@pytest.mark.parametrize("service", ["account", "shop"])
def test_f14_a_service_ends_in_time_while_its_database_is_silent(scene: Scene, service: str) -> None:
    line, process = proxy(scene, "database"), getattr(scene, service)
    buyer, item = scene.buyer(), scene.item(left=1)
    with scene.asking(buyer.wish(item), tries=40):
        pass
    scene.at_rest()
    line.up.held = line.down.held = True
    began = monotonic()
    process.stop()
    took_s = monotonic() - began
    line.heal()
    process.start()
    assert took_s < ENDS_WITHIN_S
