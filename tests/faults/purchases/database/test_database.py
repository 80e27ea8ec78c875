"""F21: a database that is away, read-only, locked or short of connections."""

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import AbstractContextManager, contextmanager

import pytest
from sqlalchemy import text

from tests.faults.purchases.database.postgres import always, line, undisturbed
from tests.support.system.scene import Scene

PARTS = "real"
LASTS_S = 4.0
MORE_THAN_CONNECTIONS = 30


@pytest.fixture(autouse=True)
def burns_no_attempts(scene: Scene) -> Iterator[None]:
    """No message was tried in vain."""
    before = scene.parkings()
    yield
    assert scene.parkings() == before


@contextmanager
def away(scene: Scene) -> Iterator[None]:
    with undisturbed(scene):
        yield


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    with always(scene, "default_transaction_read_only", "on"):
        yield


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """All rows of users and of the stock."""
    with scene.connected() as connection:
        connection.execute(text('SELECT 1 FROM "user" FOR UPDATE'))
        connection.execute(text("SELECT 1 FROM shop.stock FOR UPDATE"))
        yield


@contextmanager
def silent(scene: Scene) -> Iterator[None]:
    line(scene).down.held = True
    yield
    line(scene).heal()


@pytest.mark.parametrize(("state", "buyers"), [(away, 5), (read_only, 3), (locked, 5), (silent, MORE_THAN_CONNECTIONS)])
def test_f21_the_database_is_waited_for(
    scene: Scene, state: Callable[[Scene], AbstractContextManager[None]], buyers: int
) -> None:
    everybody, item = [scene.buyer() for _ in range(buyers)], scene.item(left=buyers)
    wishes = [buyer.wish(item) for buyer in everybody]
    with scene.asking(*wishes, tries=40, at_once=max(8, buyers)) as asked, state(scene):
        wait([asked], LASTS_S)
    scene.ends("COMPLETED", *((buyer, item) for buyer in everybody))
