"""F14 and F22: between the services and the broker, or the database, connections are cut, slow, or silent."""

from collections.abc import Callable, Mapping
from concurrent.futures import wait
from time import monotonic

import pytest

from tests.support.system.scene import Scene
from tests.support.system.tcp_proxy import TcpProxy, Way
from tests.support.system.waiting import until

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


COMMIT = b"COMMIT\0"
TRANSACTIONS: Mapping[tuple[bytes, ...], str] = {
    (b"\x07DEBITED", COMMIT): "DEBITED",
    (b"\x09COMPLETED", COMMIT): "COMPLETED",
    (b"\x09decreased", COMMIT): "decided",
}
"""What the driver sends, the length and the text of a parameter and then the end, and what comes of it."""


@pytest.mark.parametrize("sent", TRANSACTIONS, ids=lambda sent: sent[0][1:].decode())
def test_f22_what_succeeds_and_looks_like_a_failure_has_its_effect_once(scene: Scene, sent: tuple[bytes, ...]) -> None:
    database = proxy(scene, "database")
    buyer, item = scene.buyer(), scene.item(left=5)

    def has_effect() -> bool:
        if TRANSACTIONS[sent] == "decided":
            return scene.purchase_id(buyer, item) in scene.books.read().decisions
        return scene.state(buyer, item) == TRANSACTIONS[sent]

    database.up.holds = sent, database.down
    with scene.asking(buyer.wish(item), tries=40):
        until(has_effect, "its effect")
        assert database.down.held
        database.cut()
        database.heal()
    books, _ = scene.at_rest()
    assert (scene.state(buyer, item), books.points[buyer.user_id]) == ("COMPLETED", 90)
    assert books.stock[item]["available"] == 4


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
