"""F27: more of a service, fewer, none, more again, while it has much to do."""

import signal

from tests.support.system.scene import Scene

PARTS = "real"


def test_f27_shops_come_and_go_under_load_and_nothing_is_parked(scene: Scene) -> None:
    more = [scene.system.another("shop") for _ in range(2)]
    with scene.asking(*scene.load(40, seed=27), tries=40):
        for process in more:
            process.start()
        assert [process.stop() for process in (scene.shop, more[0])] == [0, 0]
        more[1].kill()
        scene.shop.start()
    assert more[1].exits[-1] == -signal.SIGKILL
    scene.at_rest()
    assert [row["reason"] for row in scene.books.read().parked] == []
