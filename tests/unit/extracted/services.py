"""Shop, Account and Learning as they run in production, in processes of their own, with all that they need."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType

from chassis.database import migrations
from extracted.account.purchases.storage import MIGRATIONS as ACCOUNT_MIGRATIONS
from extracted.learning.storage import MIGRATIONS as LEARNING_MIGRATIONS
from extracted.shop.storage import MIGRATIONS as SHOP_MIGRATIONS
from tests.support.stores import SECRET, Stores
from tests.unit.extracted.running import Gateway, RunningService, running_service

MIGRATIONS = {"shop": SHOP_MIGRATIONS, "account": ACCOUNT_MIGRATIONS, "learning": LEARNING_MIGRATIONS}
TOKEN = "between-the-services-of-the-test-run"
NOWHERE = "http://127.0.0.1:9"


def running_services(
    stack: ExitStack,
    stores: Stores,
    broker_url: str,
    gateway: Gateway,
    runner_url: str = NOWHERE,
    *,
    account: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, RunningService]:
    """By their names in routes.yaml; their tables are made first. They end with `stack`. Runner's token is TOKEN.

    `account`: further settings of Account, without its prefix.
    """
    for name, place in MIGRATIONS.items():
        asyncio.run(migrations.upgrade(stores.database_url, name, place))
    documents = {"DOCUMENTS_URL": stores.documents_url} if stores.documents_url else {}

    def start(name: str, **variables: str) -> RunningService:
        running = running_service(name, stores.database_url, gateway, BROKER_URL=broker_url, **variables)
        return stack.enter_context(running)

    shop = start("shop", INTERNAL_TOKEN=TOKEN, **documents)
    sells = {"SHOP_URL": f"http://127.0.0.1:{shop.port}", "SHOP_TOKEN": TOKEN, "AUTH_JWT_SECRET": SECRET}
    learning = start("learning", RUNNER_URL=runner_url, RUNNER_TOKEN=TOKEN, PAYMENT_WAIT_S="10", **documents)
    return {"shop": shop, "account": start("account", **sells | dict(account)), "learning": learning}
