"""One suite for every kind of broker: a kind is one entry here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.messaging.port import Broker
from chassis.messaging.rabbit import subscription
from tests.ports.messaging.brokers import Brokers, InMemory, InRabbit, InSqlite
from tests.support.messaging import TOPOLOGY

BROKERS = (
    pytest.param(InMemory, id="memory"),
    pytest.param(InSqlite, id="sqlite"),
    pytest.param(InRabbit, id="rabbit", marks=pytest.mark.connected),
)


@pytest.fixture(params=BROKERS)
async def brokers(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Brokers]:
    """A consumer that gave its broker up would cost a message one of its deliveries."""
    monkeypatch.setattr(subscription, "ANSWER_TIMEOUT_S", 60.0)
    kind: Brokers = request.param(tmp_path)
    yield kind
    await kind.aclose()


@pytest.fixture
async def broker(brokers: Brokers) -> Broker:
    """A connection, and the topology of the suite."""
    connection = await brokers.connect()
    await connection.declare(TOPOLOGY)
    return connection
