"""Commands that hang leave room for offers; tests/faults kills, stops and floods the worker."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.topology import load
from extracted.shop.main import TOPOLOGY
from tests.support.connected import fresh_rabbit, waiting
from tests.support.messaging import Collector, until
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import on_real_parts
from tests.unit.extracted.shop.commands import decrease, purchase
from tests.unit.extracted.shop.running import INTERNAL_TOKEN, Gateway, ask, bearer, running_seller

pytestmark = [pytest.mark.walk, pytest.mark.connected]
SALES_AT_ONCE = 5


async def test_sales_that_hang_starve_no_offer(gateway: Gateway, tmp_path: Path) -> None:
    stores, broker_url = on_real_parts(tmp_path), fresh_rabbit()
    data, buyers, decided = MonolithData(stores), [purchase() for _ in range(12)], Collector()
    item = data.add_item()
    for buyer in buyers:
        data.add_user(user_id=buyer.user_id)
    account = open_broker(broker_url, "account")
    await account.declare(load(TOPOLOGY))
    await account.consume("account.decisions", decided)
    locked = 'SELECT 1 FROM "user" WHERE id = ANY(%s::uuid[]) FOR UPDATE'
    own = {"BROKER_URL": broker_url, "DOCUMENTS_URL": stores.documents_url or ""}
    with (
        running_seller(stores.database_url, gateway, tmp_path, **own) as shop,
        psycopg.connect(stores.database_url) as holder,
    ):
        holder.execute(locked, [[buyer.user_id for buyer in buyers]])
        for buyer in buyers:
            await account.publish("purchases.commands", decrease(buyer))
        await until(lambda: waiting(stores.database_url) >= SALES_AT_ONCE)
        place = f"/internal/offers/{item}?user={buyers[0].user_id}"
        answer = await asyncio.to_thread(ask, shop.port, place, "GET", bearer(INTERNAL_TOKEN))
        assert answer.status == 200
        await until(lambda: waiting(stores.database_url) > 0)  # a new try begins without a lock
        assert waiting(stores.database_url) <= SALES_AT_ONCE  # together or, after that has failed, each alone
        holder.rollback()
        await decided.until(len(buyers))
    await account.aclose()
    data.close()
