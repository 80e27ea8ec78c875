"""Messages of RabbitMQ whose properties cannot be read, as an operator of the shop sees them in a terminal."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.topology import load
from extracted.shop.main import TOPOLOGY
from extracted.shop.messages import COMMANDS, DECREASE
from tests.support.connected import fresh_rabbit
from tests.support.monolith_file import MonolithFile
from tests.support.system.waiting import until
from tests.unit.chassis.messaging.rabbit.raw_rabbit import properties, put, short
from tests.unit.extracted.cli.polycode import Polycode
from tests.unit.extracted.shop.commands import decrease, purchase
from tests.unit.extracted.shop.running import OPERATOR_TOKEN, Gateway, RunningShop, running_seller

pytestmark = [pytest.mark.walk, pytest.mark.connected]
DEAD = f"{COMMANDS}.dead"
STEERING = b"\xff\x1b[2J"


def polycode(shop: RunningShop, *words: str) -> str:
    environ = {"POLYCODE_SHOP_URL": f"http://127.0.0.1:{shop.port}", "POLYCODE_OPERATOR_TOKEN": OPERATOR_TOKEN}
    return Polycode(environ).shown("dead-letters", *words, "--service", "shop")


def listed(shop: RunningShop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(polycode(shop, "list", "--json"))["shop"]
    return found


async def test_they_are_listed_with_their_reason_and_what_lies_behind_them_goes_on(
    gateway: Gateway, tmp_path: Path
) -> None:
    url, file = fresh_rabbit(), MonolithFile(tmp_path / "monolith.sqlite3")
    broker, behind = open_broker(url, "account"), decrease(purchase())
    await broker.declare(load(TOPOLOGY))
    await put(url, "purchases.commands", DECREASE, properties(message_id=short(STEERING)))
    await put(url, DEAD, DEAD, properties(message_id=short(STEERING + b"dead")))
    await broker.publish(DEAD, behind, routing_key=DEAD)
    await broker.publish("purchases.commands", decrease(purchase()))
    with running_seller(file.url, gateway, tmp_path, BROKER_URL=url) as shop:
        async with asyncio.timeout(60):
            while not await broker.depth("account.decisions"):
                await asyncio.sleep(0.05)
        until(lambda: len(listed(shop)) == 3, "all are parked")
        rows = {row["messageId"]: row for row in listed(shop)}
        row = rows["\\xff\x1b[2J"]
        assert row["reason"] == "not understood: the properties cannot be read (UnicodeDecodeError)"
        assert {row["reason"] for row in rows.values() if row is not rows["\\xff\x1b[2J"]} == {
            "dead letter: no reason given"
        }
        assert behind.id in rows
        shown = polycode(shop, "show", row["id"])
        assert "\x1b" not in shown
        assert "UnicodeDecodeError" in shown
        assert "\\xff\\x1b[2J" in shown
    await broker.aclose()
    file.close()
