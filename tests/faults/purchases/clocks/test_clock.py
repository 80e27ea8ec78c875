"""F25: clocks of all services that jump by an hour, forward and back, and one that hangs for twice its lease."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.purchases.clocks.clocks import HOUR_S, Clock
from tests.support.system.scene import Scene, on_parts
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected
RELAY_LEASE_S = 10
ENDS_WITHIN_S = 120.0
CLAIMED = "account.outbox WHERE claim IS NOT NULL AND published_at IS NULL"


@pytest.fixture(scope="module")
def on_one_machine(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock") / "ahead")


@pytest.fixture(scope="module")
def shared(on_one_machine: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with on_parts(tmp_path_factory.mktemp("scene"), environ=on_one_machine.environ) as scene:
        yield scene


@pytest.fixture
def clock(on_one_machine: Clock, scene: Scene) -> Clock:
    """Of Account, Shop and the gateway."""
    on_one_machine.put(0)
    return on_one_machine


def test_f25_a_clock_that_jumps_forward_and_back_under_purchases_loses_and_doubles_nothing(
    scene: Scene, clock: Clock
) -> None:
    parkings, item, first = scene.parkings(), scene.item(left=5), scene.buyer()
    scene.shop.arm("shop.before_commit=hang:50")
    orders = scene.ask(first.wish(item), tries=20)
    until(lambda: not scene.books.read().unpublished, "its command at the broker, by a clock that was right")
    clock.put(HOUR_S)
    scene.reaches(first, item, "CANCELLING")
    scene.shop.arm()
    for by_s in (HOUR_S, -HOUR_S, 0):
        clock.put(by_s)
        orders += scene.ask(*(scene.buyer().wish(item) for _ in range(3)), tries=20)
    books, _ = scene.at_rest()
    opened = [row["created_at"] for row in books.purchases.values()]
    assert max(opened) - min(opened) > timedelta(seconds=2 * HOUR_S - ENDS_WITHIN_S)
    assert {order.status for order in orders} == {204}
    assert scene.parkings() == parkings


@pytest.mark.parametrize(
    ("service", "failpoint", "loses"),
    [("account", "relay.confirmed", None), ("shop", "shop.before_commit", "shop.commands")],
    ids=["leased, so sent again", "its command lost, so asked again"],
)
def test_f25_what_waits_by_a_clock_that_was_ahead_goes_on_once_it_is_put_back(
    scene: Scene, clock: Clock, service: str, failpoint: str, loses: str | None
) -> None:
    """The process is killed while the clock is an hour ahead. `loses`: the queue that is emptied meanwhile."""
    buyer, item, process = scene.buyer(), scene.item(), getattr(scene, service)
    clock.put(HOUR_S)
    process.arm(f"{failpoint}=kill")
    with scene.asking(buyer.wish(item), tries=20):
        process.wait()
        clock.put(0)
        if loses is not None:
            scene.meddler.lose(loses)
        process.start()
    scene.ends("COMPLETED", (buyer, item), within_s=ENDS_WITHIN_S)


def test_f25_what_was_parked_by_a_clock_that_was_ahead_is_tried_again_once_it_is_put_back(
    scene: Scene, clock: Clock
) -> None:
    buyer, item = scene.buyer(), scene.item()
    clock.put(HOUR_S)
    scene.account.arm("account.before_debit_commit=raise")
    with scene.asking(buyer.wish(item), tries=20):
        until(lambda: scene.books.read().parked, "a request that is to be tried again")
        clock.put(0)
        scene.account.arm()
    scene.ends("COMPLETED", (buyer, item), within_s=ENDS_WITHIN_S)


def test_f25_one_that_hangs_for_twice_its_lease_finds_it_taken_and_does_nothing_twice(
    scene: Scene, clock: Clock, tmp_path: Path
) -> None:
    """The clock of the second makes it twice the lease: nobody waits for it."""
    buyer, item, ahead = scene.buyer(), scene.item(left=5), Clock(tmp_path / "ahead")
    scene.account.arm("relay.confirmed=hang:50")
    with scene.asking(buyer.wish(item), tries=20):
        until(lambda: scene.count(CLAIMED), "a command with a lease")
        scene.account.pause()
        scene.account.arm()
        ahead.put(2 * RELAY_LEASE_S)
        scene.system.another("account").start(**ahead.environ)
        until(lambda: not scene.books.read().unpublished, "the command sent by the second")
        scene.account.go_on()
    scene.at_rest()
    scene.emptied()
    books, _ = scene.at_rest()
    assert (scene.state(buyer, item), books.stock[item]["available"]) == ("COMPLETED", 4)
