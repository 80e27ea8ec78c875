"""One Account and one database, of either kind, for all tests here; each brings users of its own."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from chassis.database import migrations
from chassis.messaging import topology
from chassis.messaging.open import open_broker
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.purchases.wiring import TOPOLOGY
from tests.recordings.running import running_monolith_on
from tests.support.connected import fresh_rabbit
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE, on_real_parts, on_sqlite
from tests.unit.extracted.running import Gateway, RunningService, running_service


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="session", params=EVERYWHERE)
def monolith(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithData]:
    data = MonolithData(request.param(tmp_path_factory.mktemp("monolith")))
    yield data
    data.close()


@pytest.fixture(scope="session")
def account(monolith: MonolithData, gateway: Gateway) -> Iterator[RunningService]:
    with running_service("account", monolith.url, gateway) as running:
        yield running


@dataclass(frozen=True)
class Mailing:
    """Account in both ways of compat and the monolith, on one database; what Account asks for reaches Mailer's queue.

    `received`: the bodies of what was taken out of it so far.
    """

    data: MonolithData
    monolith_port: int
    strict: RunningService
    improved: RunningService
    broker_url: str
    received: list[dict[str, Any]] = field(default_factory=list)


PARTS = (
    pytest.param(lambda folder: (on_sqlite(folder), f"sqlite:///{folder / 'broker.sqlite3'}"), id="embedded"),
    pytest.param(lambda folder: (on_real_parts(folder), fresh_rabbit()), id="real parts", marks=pytest.mark.connected),
)


@pytest.fixture(scope="session", params=PARTS)
def mailing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gateway: Gateway
) -> Iterator[Mailing]:
    stores, broker_url = request.param(tmp_path_factory.mktemp("mailing"))
    asyncio.run(queues_of_mailer(broker_url))
    with running_monolith_on(stores, seed="demo") as monolith:
        data = MonolithData(stores)
        asyncio.run(migrations.upgrade(data.url, "account", MIGRATIONS))
        start = partial(running_service, "account", data.url, gateway, BROKER_URL=broker_url)
        with start() as strict, start(COMPAT="improved") as improved:
            yield Mailing(data, monolith.port, strict, improved, broker_url)
        data.close()


async def queues_of_mailer(broker_url: str) -> None:
    """As Mailer makes them when it starts."""
    broker = open_broker(broker_url, "mailer")
    try:
        await broker.declare(topology.load(TOPOLOGY).owned_by("mailer"))
    finally:
        await broker.aclose()
