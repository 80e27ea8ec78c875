"""A store that is away: 503, nothing half-written, and no reward twice."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.support.system.processes import Process
from tests.support.system.rewarding import REWARD, RewardScene
from tests.support.system.tcp_proxy import TcpProxy

PARTS = "real"


@contextmanager
def documents_away(lesson: RewardScene) -> Iterator[None]:
    """Learning's connections to the document server are cut and no new ones are accepted."""
    url = lesson.scene.system.stores.documents_url
    assert url is not None
    learning: Process = lesson.scene.system.learning
    with TcpProxy(urlsplit(url).port or 27017) as proxy:
        learning.stop()
        learning.start(LEARNING_DOCUMENTS_URL=proxy.through(url))
        proxy.refuses = True
        proxy.cut()
        try:
            yield
        finally:
            proxy.heal()
            learning.stop()
            learning.start()


@contextmanager
def database_away(lesson: RewardScene) -> Iterator[None]:
    """The proxy before PostgreSQL is cut, for all services."""
    assert lesson.scene.database is not None
    lesson.scene.database.refuses = True
    lesson.scene.database.cut()
    try:
        yield
    finally:
        lesson.scene.database.heal()


@pytest.mark.parametrize("away", [documents_away, database_away])
def test_a_store_that_is_away_is_a_503_and_leaves_nothing_half_written(
    lesson: RewardScene, away: Callable[[RewardScene], AbstractContextManager[None]]
) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    with away(lesson):
        reply = lesson.submit(student, exercise)
        assert reply is not None
        assert (reply.status, reply.headers.get("retry-after")) == (503, "1")
    assert "lastSuccess" not in lesson.attempts(student, exercise)
    assert lesson.state(student) in ([], ["intended"])
    lesson.solved(student, exercise)
    lesson.pays((student, REWARD))
