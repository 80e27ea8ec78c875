"""F12: RabbitMQ itself is killed, stopped and started again: an own one."""

from collections.abc import Iterator

import pytest

from parts.servers import rabbit
from tests.support.system.meddling import ready
from tests.support.system.scene import Scene, on_parts
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbit.RabbitServer]:
    with rabbit.own(tmp_path_factory.mktemp("broker")) as own:
        yield own


@pytest.fixture(scope="module")
def shared(server: rabbit.RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with on_parts(tmp_path_factory.mktemp("scene"), server=server) as scene:
        yield scene


def test_f12_the_broker_is_killed_while_purchases_are_published_confirmed_and_consumed(
    scene: Scene, server: rabbit.RabbitServer
) -> None:
    with scene.asking(*scene.load(40, seed=12), tries=60):
        until(lambda: scene.books.read().decisions, "the first decisions")
        server.kill()
        server.start()
    scene.at_rest()


def test_f12_while_the_broker_is_away_nothing_is_promised_and_what_was_debited_waits(
    scene: Scene, server: rabbit.RabbitServer
) -> None:
    buyer, late, item = scene.buyer(), scene.buyer(), scene.item()
    scene.account.arm("account.before_debit_commit=hang:50")
    wish = buyer.wish(item)
    until(lambda: scene.ask(wish)[0].status == 202, "a request at the broker")
    until(lambda: ready(server.url, "account.purchases") == 0 and scene.count(OPEN), "a debit about to commit")
    server.stop()
    scene.account.arm()
    (order,) = scene.ask(late.wish(item))
    assert order.status == 503
    until(lambda: scene.books.read().unpublished, "a command that waits")
    assert scene.state(buyer, item) == "DEBITED"
    server.start()
    scene.ask(late.wish(item), tries=20)
    scene.at_rest()
    assert (scene.state(buyer, item), scene.state(late, item)) == ("COMPLETED", "COMPLETED")


OPEN = "pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
