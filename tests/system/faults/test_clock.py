"""F25: clocks of all services that jump by an hour, forward and back, and one that hangs for twice its lease."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.system.faults.clocks import HOUR_S, Clock
from tests.system.scene import Scene, on_parts
from tests.system.waiting import until

pytestmark = pytest.mark.connected
RELAY_LEASE_S = 10
ENDS_WITHIN_S = 20.0
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


def has_opened(scene: Scene, by_s: int) -> bool:
    """There is a purchase of a clock that was so much ahead."""
    off_s = ((row["created_at"] - datetime.now(UTC)).total_seconds() for row in scene.books.read().purchases.values())
    return any(abs(seconds - by_s) < ENDS_WITHIN_S for seconds in off_s)


def test_f25_a_clock_that_jumps_forward_and_back_under_load_loses_and_doubles_nothing(
    scene: Scene, clock: Clock
) -> None:
    parkings, buyers = scene.parkings(), [scene.buyer() for _ in range(40)]
    items = [scene.item(cost=20, left=15), scene.item(cost=10), scene.item(cost=80)]
    wishes = [buyer.wish(item) for buyer in buyers for item in items]
    with scene.asking(*wishes, tries=20, at_once=3) as asked:
        for by_s in (HOUR_S, -HOUR_S, 0):
            clock.put(by_s)
            until(partial(has_opened, scene, by_s), f"a purchase at a clock that is {by_s} s ahead")
    scene.at_rest()
    assert {order.status for order in asked.result()} <= {204, 403}
    assert scene.parkings() == parkings


def test_f25_what_a_clock_that_was_ahead_has_leased_is_sent_once_it_is_put_back(scene: Scene, clock: Clock) -> None:
    buyer, item = scene.buyer(), scene.item()
    clock.put(HOUR_S)
    scene.account.arm("relay.confirmed=kill")
    with scene.asking(buyer.wish(item), tries=20):
        scene.account.wait()
        clock.put(0)
        scene.account.start()
    scene.at_rest(ENDS_WITHIN_S)
    assert scene.state(buyer, item) == "COMPLETED"


def test_f25_what_was_to_be_asked_again_by_a_clock_that_was_ahead_is_asked_once_it_is_put_back(
    scene: Scene, clock: Clock
) -> None:
    buyer, item = scene.buyer(), scene.item()
    clock.put(HOUR_S)
    scene.shop.arm("shop.before_commit=kill")
    with scene.asking(buyer.wish(item), tries=20):
        scene.shop.wait()
        clock.put(0)
        scene.meddler.lose("shop.commands")
        scene.shop.start()
    scene.at_rest(ENDS_WITHIN_S)
    assert scene.state(buyer, item) == "COMPLETED"


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
    scene.at_rest(ENDS_WITHIN_S)
    assert scene.state(buyer, item) == "COMPLETED"


def test_f25_one_that_hangs_for_twice_its_lease_finds_it_taken_and_does_nothing_twice(
    scene: Scene, clock: Clock, tmp_path: Path
) -> None:
    """The clock of the second makes it twice the lease: nobody waits for it."""
    buyer, item, ahead = scene.buyer(), scene.item(left=5), Clock(tmp_path / "ahead")
    scene.account.arm("relay.confirmed=hang:2")
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
