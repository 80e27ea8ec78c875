"""F21: a database that is away, read-only, locked or short of connections."""

from collections.abc import Iterator
from concurrent.futures import wait

import pytest
from sqlalchemy import text

from tests.faults.purchases.postgres import always, line
from tests.support.system.scene import Buyer, Scene

PARTS = "real"
LASTS_S = 4.0


@pytest.fixture(autouse=True)
def burns_no_attempts(scene: Scene) -> Iterator[None]:
    """No message was tried in vain."""
    before = scene.parkings()
    yield
    assert scene.parkings() == before


def bought_meanwhile(scene: Scene, buyers: list[Buyer], item: str) -> None:
    """All of them in the end."""
    scene.at_rest()
    assert {scene.state(buyer, item) for buyer in buyers} == {"COMPLETED"}


def test_f21_a_database_that_is_away_is_waited_for_and_burns_no_attempts(scene: Scene) -> None:
    buyers, item = [scene.buyer() for _ in range(5)], scene.item()
    with scene.asking(*(buyer.wish(item) for buyer in buyers), tries=40) as asked:
        line(scene).refuses = True
        line(scene).cut()
        wait([asked], LASTS_S)
        line(scene).heal()
    bought_meanwhile(scene, buyers, item)


def test_f21_a_database_that_only_reads_is_waited_for(scene: Scene) -> None:
    buyers, item = [scene.buyer() for _ in range(3)], scene.item()
    with (
        scene.asking(*(buyer.wish(item) for buyer in buyers), tries=40) as asked,
        always(scene, "default_transaction_read_only", "on"),
    ):
        wait([asked], LASTS_S)
    bought_meanwhile(scene, buyers, item)


def test_f21_rows_that_somebody_else_has_locked_are_waited_for(scene: Scene) -> None:
    buyers, item = [scene.buyer() for _ in range(5)], scene.item(left=5)
    locks = ['SELECT 1 FROM "user" FOR UPDATE', "SELECT 1 FROM shop.stock FOR UPDATE"]
    with scene.asking(*(buyer.wish(item) for buyer in buyers), tries=40) as asked, scene.connected() as connection:
        for lock in locks:
            connection.execute(text(lock))
        wait([asked], LASTS_S)
    bought_meanwhile(scene, buyers, item)


def test_f21_more_buyers_than_connections_while_the_database_says_nothing(scene: Scene) -> None:
    buyers, item = [scene.buyer() for _ in range(30)], scene.item()
    wishes = [buyer.wish(item) for buyer in buyers]
    with scene.asking(*wishes, tries=40, at_once=30) as asked:
        line(scene).down.held = True
        wait([asked], LASTS_S)
        line(scene).heal()
    bought_meanwhile(scene, buyers, item)
