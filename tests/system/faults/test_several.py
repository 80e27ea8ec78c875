"""F23, F25, F27: several of each service on one database and broker; some stop, die or hang under load."""

import signal
from concurrent.futures import Future, wait

from tests.system.crowd import Order, Wish, mixed
from tests.system.scene import Scene
from tests.system.waiting import until

LOCKED_S = 2.0
HANGS_S = 5.0
"""Longer than the lease of the embedded broker."""


def load(scene: Scene, number: int, seed: int) -> list[Wish]:
    buyers = [scene.buyer(points=60) for _ in range(6)]
    items = [scene.item(cost=10, left=4), scene.item(cost=20), scene.item(cost=25, left=2)]
    return mixed(((buyer.user_id, buyer.token) for buyer in buyers), items, number, seed)


def test_f23_two_relays_and_writers_share_one_outbox_while_one_is_killed(scene: Scene) -> None:
    second = scene.system.another("account").start()
    with scene.asking(*load(scene, 30, seed=23), tries=20) as asked:
        if scene.is_embedded:
            write_locked(scene, asked)
        second.arm("relay.confirmed=kill")
        until(lambda: asked.done() or not second.is_running, "the end of the second, or of the load")
    scene.at_rest()


def write_locked(scene: Scene, asked: Future[list[Order]]) -> None:
    """SQLite's one writer is somebody else for a while; then its log is written back, in the middle of the load."""
    with scene.connected() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        wait([asked], LOCKED_S)
    scene.run("PRAGMA wal_checkpoint(TRUNCATE)")


def test_f25_one_that_hangs_longer_than_its_lease_does_nothing_twice(scene: Scene) -> None:
    second = scene.system.another("shop").start()
    with scene.asking(*load(scene, 30, seed=25), tries=20) as asked:
        until(lambda: scene.books.read().decisions, "the first decisions")
        second.pause()
        wait([asked], HANGS_S)
        second.go_on()
    scene.at_rest()
    scene.emptied()
    scene.at_rest()


def test_f27_shops_come_and_go_under_load_and_nothing_is_parked(scene: Scene) -> None:
    more = [scene.system.another("shop") for _ in range(2)]
    with scene.asking(*load(scene, 40, seed=27), tries=40):
        for process in more:
            process.start()
        assert [process.stop() for process in (scene.shop, more[0])] == [0, 0]
        more[1].kill()
        scene.shop.start()
    assert more[1].exits[-1] == -signal.SIGKILL
    scene.at_rest()
    assert [row["reason"] for row in scene.books.read().parked] == []
