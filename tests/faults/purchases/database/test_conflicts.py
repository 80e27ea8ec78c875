"""F21: what PostgreSQL undoes because of somebody else: serialization failures and deadlocks, at each commit."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, text

from tests.faults.purchases.database.postgres import always, told
from tests.support.system.crowd import Wish
from tests.support.system.scene import Scene
from tests.support.system.waiting import until

PARTS = "real"
SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
WAITS_FOR_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
USERS, STOCK = '"user"', "shop.stock"


def awaited(connection: Connection) -> None:
    """Until somebody waits for what it has locked."""
    until(lambda: connection.execute(text(WAITS_FOR_US)).scalar_one(), "somebody who waits", poll_s=0.01)


def overtake(scene: Scene, table: str, column: str, *wishes: Wish) -> None:
    """Whoever waits for one of its rows finds it changed since he began."""
    with scene.connected() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))  # we are not the one to be undone
        connection.execute(text(f"UPDATE {table} SET {column} = {column}"))
        with scene.asking(*wishes, tries=40):
            awaited(connection)
            connection.commit()


def test_f21_what_cannot_be_serialized_is_done_again_and_burns_no_attempts(scene: Scene) -> None:
    before, parkings = told(scene, SERIALIZATION_FAILURE), scene.parkings()
    item = scene.item(left=20)
    debits, sales = ([[scene.buyer().wish(item) for _ in range(5)] for _ in range(2)] for _ in range(2))
    with always(scene, "default_transaction_isolation", "serializable"):
        for debited, sold in zip(debits, sales, strict=True):
            overtake(scene, USERS, "points", *debited)
            overtake(scene, STOCK, "sold", *sold)
    scene.at_rest()
    assert told(scene, SERIALIZATION_FAILURE) >= before + 4
    assert scene.parkings() == parkings


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


def detected_late(scene: Scene) -> AbstractContextManager[None]:
    """PostgreSQL looks for a deadlock once in a wait: by then the other must have come to his."""
    return always(scene, "deadlock_timeout", "3s")


@pytest.fixture
def ends_a_deadlock(scene: Scene) -> Iterator[None]:
    """One was detected, and burnt no attempts."""
    before, parkings = told(scene, DEADLOCK_DETECTED), scene.parkings()
    with detected_late(scene):
        yield
    assert told(scene, DEADLOCK_DETECTED) > before
    assert scene.parkings() == parkings


@pytest.mark.usefixtures("ends_a_deadlock")
@pytest.mark.parametrize(("rows", "table"), [(USERS, "account.purchases"), (STOCK, USERS)], ids=["a debit", "a sale"])
def test_f21_what_is_undone_to_end_a_deadlock_is_done_again(scene: Scene, rows: str, table: str) -> None:
    buyer, item = scene.buyer(), scene.item(left=1)
    with scene.connected() as other, scene.asking(buyer.wish(item), tries=40):
        deadlock(other, rows, table)
    scene.ends("COMPLETED", (buyer, item))


@pytest.mark.usefixtures("ends_a_deadlock")
def test_f21_a_refund_that_is_undone_to_end_a_deadlock_is_made_again(scene: Scene) -> None:
    buyer, item = scene.buyer(), scene.item(left=0)
    scene.shop.arm("shop.before_commit=hang:50")
    with scene.connected() as other, scene.asking(buyer.wish(item), tries=40):
        scene.reaches(buyer, item, "DEBITED")
        deadlock(other, USERS, "account.purchases", locked=scene.shop.arm)
    scene.ends("REFUNDED", (buyer, item))
