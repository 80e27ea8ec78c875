"""F21: the database's disk is full, and has room again."""

from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import ExitStack

import pytest

from tests.faults.purchases.conftest import Stage
from tests.faults.purchases.database.postgres import told
from tests.faults.purchases.database.small_disk import SmallDisk, moved_to, small_disk
from tests.support.system.scene import PATIENT, Scene, embedded, on_parts
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected
DISK_FULL = "53100"
LASTS_S = 2.5


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    with small_disk() as disk:
        yield disk


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def shared(
    request: pytest.FixtureRequest, disk: SmallDisk, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with ExitStack() as stack:
        if request.param == "SQLite":
            scene = stack.enter_context(embedded(tmp_path_factory.mktemp("scene"), data=disk.root))
        else:
            scene = stage.scene(on_parts, PATIENT)
            stack.enter_context(moved_to(disk, scene))
        yield scene
        disk.free()


def is_told(scene: Scene) -> bool:
    """A service that writes."""
    if scene.is_embedded:
        return "disk is full" in scene.account.said() + scene.shop.said()
    return told(scene, DISK_FULL) > 0


def test_f21_a_full_disk_is_waited_for_and_burns_no_attempts(scene: Scene, disk: SmallDisk) -> None:
    parkings, buyers = scene.parkings(), [scene.buyer() for _ in range(50)]
    items = [scene.item(left=10), scene.item(left=15), scene.item(), scene.item()]
    wishes = [buyer.wish(item) for item in items for buyer in buyers]
    with scene.asking(*wishes, tries=40, at_once=4) as asked:
        until(lambda: scene.books.read().decisions, "the first decisions")
        disk.fill()
        until(lambda: is_told(scene), "a service that has met it")
        disk.fill()
        wait([asked], LASTS_S)
        assert not asked.done(), "nothing was written in vain"
        disk.free()
    scene.at_rest()
    assert scene.parkings() == parkings
