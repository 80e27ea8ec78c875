"""What Prometheus reads of Account: open as health is, numbers alone."""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.database import migrations
from extracted.account.purchases.messages import DECISIONS_QUEUE, PURCHASES_QUEUE, REQUESTED
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.rewards.messages import QUEUE as REWARDS_QUEUE
from tests.support.monolith.monolith_file import MonolithFile
from tests.support.system.meddling import SqliteMeddler
from tests.support.system.waiting import until
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service

pytestmark = pytest.mark.walk
OPERATOR = "operators-alone-have-this"
AT = datetime.now(UTC).isoformat()
AGO = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
PURCHASE = "INSERT INTO account_purchases (id, user_id, item_id, item, price, state, asks, due_at, created_at) "
PURCHASE += "VALUES (?, 'somebody', ?, '{}', 1, 'DEBITED', 1, '2999-01-01 00:00:00.000000', ?)"
MESSAGE = "INSERT INTO account_outbox (message_id, destination, created_at, properties, body) "
MESSAGE += "VALUES ('m', 'nowhere some.type.v1', ?, '{}', '{}')"
PARKED = "INSERT INTO account_parked (id, queue, properties, size, reason, attempts, first_at, last_at) "
PARKED += "VALUES ('p', 'account.decisions', '{}', 0, 'a secret reason', 1, ?, ?)"


@pytest.fixture
def account(gateway: Gateway, tmp_path: Path) -> Iterator[RunningService]:
    """With a purchase that has been open for an hour, a message that does not get away, and one that is parked."""
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    asyncio.run(migrations.upgrade(file.url, "account", MIGRATIONS))
    with closing(sqlite3.connect(file.path)) as connection, connection:
        connection.execute(PURCHASE, ("one", "something", AGO))
        connection.execute(MESSAGE, (AGO,))
        connection.execute(PARKED, (AGO, AGO))
    broker_url = f"sqlite:///{tmp_path / 'broker.sqlite3'}"
    with running_service("account", file.url, gateway, BROKER_URL=broker_url, OPERATOR_TOKEN=OPERATOR) as service:
        yield service
    file.close()


def measured(account: RunningService) -> tuple[Answer, dict[str, float]]:
    answer = ask(account.port, "/metrics", "GET", {})
    rows = [line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return answer, {name: float(value) for name, _, value in rows}


def test_anybody_reads_numbers_and_nothing_else(account: RunningService) -> None:
    until(lambda: 'account_audit_breaches{kind="open_too_long"}' in measured(account)[1], "the first audit")
    answer, values = measured(account)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert values['account_open_purchases{state="DEBITED"}'] == 1
    assert values['account_open_purchases{state="CANCELLING"}'] == 0
    assert 3600 <= values["account_oldest_open_purchase_seconds"] < 7200
    assert values['account_audit_breaches{kind="open_too_long"}'] == 1
    assert values['account_audit_breaches{kind="charged_twice"}'] == 0
    assert 3600 <= values['account_outbox_oldest_seconds{destination="nowhere some.type.v1"}'] < 7200
    assert values['account_outbox_waiting{destination="nowhere some.type.v1"}'] == 1
    assert values['account_parked_messages{queue="account.decisions"}'] == 1
    assert b"secret" not in answer.body
    assert b"somebody" not in answer.body


IDLE = (DECISIONS_QUEUE, REWARDS_QUEUE)


def queues(account: RunningService) -> dict[object, dict[str, object]]:
    """As operators see them, by their names."""
    answer = ask(account.port, "/internal/status", "GET", {"Authorization": f"Bearer {OPERATOR}"})
    told: dict[str, list[dict[str, object]]] = json.loads(answer.body)
    return {one["queue"]: one for one in told["consumers"]}


def test_what_waits_for_the_shop_is_told_with_its_reason(gateway: Gateway, tmp_path: Path) -> None:
    file, broker = MonolithFile(tmp_path / "monolith.sqlite3"), tmp_path / "broker.sqlite3"
    asyncio.run(migrations.upgrade(file.url, "account", MIGRATIONS))
    own = {"BROKER_URL": f"sqlite:///{broker}", "OPERATOR_TOKEN": OPERATOR}
    away = {"SHOP_URL": "http://127.0.0.1:1", "SHOP_TOKEN": "of-a-shop-that-is-away"}
    with running_service("account", file.url, gateway, **own, **away) as service:
        asked = {"id": str(uuid.uuid4()), "type": REQUESTED, "subject": file.add_user(), "time": AT}
        body = json.dumps({"itemId": str(uuid.uuid4())}).encode()
        SqliteMeddler(broker).put(PURCHASES_QUEUE, asked, body)
        until(lambda: queues(service)[PURCHASES_QUEUE]["held"], "a message that is held")
        reason = "the shop cannot be reached (ConnectionRefusedError)"
        waits = {"queue": PURCHASES_QUEUE, "isConsuming": True, "held": 1, "reason": reason}
        idle = {name: {"queue": name, "isConsuming": True, "held": 0, "reason": None} for name in IDLE}
        assert queues(service) == {PURCHASES_QUEUE: waits} | idle
        held = {name: value for name, value in measured(service)[1].items() if "held" in name}
    assert held == {
        'account_held_messages{queue="account.purchases"}': 1,
        **{f'account_held_messages{{queue="{name}"}}': 0 for name in IDLE},
    }
    file.close()
