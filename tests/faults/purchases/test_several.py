"""F23, F25: two of each service on one database and broker; one dies or hangs under load."""

from concurrent.futures import Future, wait

from tests.support.system.crowd import Order
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

LOCKED_S = 2.0
HANGS_S = 5.0
"""Longer than the lease of the embedded broker."""


def test_f23_two_relays_and_writers_share_one_outbox_while_one_is_killed(scene: Scene) -> None:
    second = scene.system.another("account").start()
    with scene.asking(*scene.load(30, seed=23), tries=20) as asked:
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
    with scene.asking(*scene.load(30, seed=25), tries=20) as asked:
        until(lambda: scene.books.read().decisions, "the first decisions")
        second.pause()
        wait([asked], HANGS_S)
        second.go_on()
    scene.at_rest()
    scene.emptied()
    scene.at_rest()
