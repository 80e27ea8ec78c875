"""F21: what PostgreSQL undoes because of somebody else: serialization failures and deadlocks, at each commit."""

from collections.abc import Callable
from concurrent.futures import wait

import pytest
from sqlalchemy import Connection, text

from tests.system.faults.postgres import always, told
from tests.system.scene import Scene
from tests.system.waiting import until

PARTS = "real"
SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
WAITS_FOR_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
ENDS_WITHIN_S = 20.0


def awaited(connection: Connection) -> None:
    """Until somebody waits for what it has locked."""
    until(lambda: connection.execute(text(WAITS_FOR_US)).scalar_one(), "somebody who waits", poll_s=0.01)


def overtake(scene: Scene, table: str, column: str) -> None:
    """Whoever waits for one of its rows finds it changed since he began."""
    with scene.connected() as connection:
        connection.execute(text(f"UPDATE {table} SET {column} = {column}"))
        awaited(connection)


def test_f21_what_cannot_be_serialized_is_done_again_and_burns_no_attempts(scene: Scene) -> None:
    before, parkings = told(scene, SERIALIZATION_FAILURE), scene.parkings()
    with (
        always(scene, "default_transaction_isolation", "serializable"),
        scene.asking(*scene.load(30, seed=21), tries=40) as asked,
    ):
        for _ in range(2):
            overtake(scene, '"user"', "points")
            overtake(scene, "shop.stock", "sold")
        wait([asked], ENDS_WITHIN_S)
    scene.at_rest()
    assert told(scene, SERIALIZATION_FAILURE) >= before + 4
    assert scene.parkings() == parkings


USERS, STOCK = '"user"', "shop.stock"


def deadlock(other: Connection, rows: str, table: str, locked: Callable[[], object] = lambda: None) -> None:
    """He has rows and wants a table, whose holder wants these rows: it is not he who is undone.

    `locked`: what is done as soon as he has the rows.
    """
    other.execute(text("SET LOCAL deadlock_timeout = '1min'"))
    other.execute(text(f"SELECT 1 FROM {rows} FOR NO KEY UPDATE"))
    locked()
    awaited(other)
    other.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
    other.rollback()


def counted(scene: Scene) -> tuple[int, int]:
    """Deadlocks that a service was told of, and messages that were tried in vain."""
    return told(scene, DEADLOCK_DETECTED), scene.parkings()


@pytest.mark.parametrize(("rows", "table"), [(USERS, "account.purchases"), (STOCK, USERS)], ids=["a debit", "a sale"])
def test_f21_what_is_undone_to_end_a_deadlock_is_done_again(scene: Scene, rows: str, table: str) -> None:
    before, buyer, item = counted(scene), scene.buyer(), scene.item(left=1)
    with scene.connected() as other, scene.asking(buyer.wish(item), tries=40):
        deadlock(other, rows, table)
    scene.at_rest()
    assert scene.state(buyer, item) == "COMPLETED"
    assert counted(scene) == (before[0] + 1, before[1])


def test_f21_a_refund_that_is_undone_to_end_a_deadlock_is_made_again(scene: Scene) -> None:
    before, buyer, item = counted(scene), scene.buyer(), scene.item(left=0)
    scene.shop.arm("shop.before_commit=hang:50")
    with scene.connected() as other, scene.asking(buyer.wish(item), tries=40):
        scene.reaches(buyer, item, "DEBITED")
        deadlock(other, USERS, "account.purchases", locked=scene.shop.arm)
    scene.at_rest()
    assert scene.state(buyer, item) == "REFUNDED"
    assert counted(scene) == (before[0] + 1, before[1])
