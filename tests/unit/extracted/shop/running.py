"""The shop as a process."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from chassis.database import migrations
from extracted.shop.storage import MIGRATIONS
from tests.unit.extracted.running import (
    ROOT,
    START_TIMEOUT_S,
    Answer,
    Gateway,
    RunningService,
    ask,
    running_service,
    stop,
)

__all__ = [
    "INTERNAL_TOKEN", "OPERATOR_TOKEN", "ROOT", "START_TIMEOUT_S", "Answer", "Gateway", "RunningShop", "ask", "bearer",
    "migrated", "running_seller", "running_shop", "stop",
]  # fmt: skip

RunningShop = RunningService
INTERNAL_TOKEN, OPERATOR_TOKEN = "account-alone-has-this-one", "operators-alone-have-this"


def running_shop(database_url: str, gateway: Gateway, **variables: str) -> AbstractContextManager[RunningShop]:
    """`variables` are further SHOP_… settings, by their names without the prefix."""
    return running_service("shop", database_url, gateway, **variables)


@contextmanager
def running_seller(database_url: str, gateway: Gateway, folder: Path, **variables: str) -> Iterator[RunningShop]:
    """A shop that sells through a broker in `folder`, on tables that are made first; both credentials are set."""
    migrated(database_url)
    own = {"BROKER_URL": f"sqlite:///{folder / 'broker.sqlite3'}"}
    own |= {"INTERNAL_TOKEN": INTERNAL_TOKEN, "OPERATOR_TOKEN": OPERATOR_TOKEN}
    with running_shop(database_url, gateway, **(own | variables)) as shop:
        yield shop


def migrated(database_url: str) -> None:
    """The shop's own tables are there. In a thread: a loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(migrations.upgrade(database_url, "shop", MIGRATIONS))).result()


def bearer(token: str) -> dict[str, str]:
    """The header field."""
    return {"Authorization": f"Bearer {token}"}
