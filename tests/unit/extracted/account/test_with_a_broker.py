"""What Account serves with a broker and without; and a mail that has to wait refuses nobody."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.database import migrations
from chassis.messaging.open import open_broker
from chassis.messaging.port import TopologyDiffers
from extracted.account.purchases.storage import MIGRATIONS
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import on_sqlite
from tests.support.system.waiting import until
from tests.unit.extracted.account.conftest import Mailing, queues_of_mailer
from tests.unit.extracted.account.mails import DEADLINE_S, fresh, mails_to, signed_up, token
from tests.unit.extracted.running import Gateway, RunningService, ask, running_service, stop

pytestmark = pytest.mark.walk

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SENDING_MAIL = (
    ("POST", "/user"),
    ("GET", "/user/@me/email"),
    ("POST", "/user/@me/email"),
    ("DELETE", f"/user/@me/email/{UNKNOWN}"),
    ("POST", f"/user/email/validate/{UNKNOWN}"),
    ("POST", f"/user/email/regenerate-token/{UNKNOWN}"),
    ("POST", "/team"),
    ("PATCH", f"/team/{UNKNOWN}"),
    ("DELETE", f"/team/{UNKNOWN}"),
    ("POST", f"/team/{UNKNOWN}/members"),
    ("DELETE", f"/team/{UNKNOWN}/members"),
)
OPERATOR = "an-operator-of-the-test-run"
ADMIN = Identity(AuthenticationOutcome.USER, UNKNOWN, ("admin",))


@pytest.fixture
def data(tmp_path: Path) -> Iterator[MonolithData]:
    """Of the monolith, with its roles; nobody has made Mailer's queue."""
    stores = on_sqlite(tmp_path)
    with running_monolith_on(stores, seed="demo"):
        data = MonolithData(stores)
    asyncio.run(migrations.upgrade(data.url, "account", MIGRATIONS))
    yield data
    data.close()


def unserved(service: RunningService) -> set[tuple[str, str]]:
    """Those that are answered as what is no route."""
    answers = {(method, target): service.ask(target, ADMIN, method=method) for method, target in SENDING_MAIL}
    return {one for one, answer in answers.items() if b"Cannot " in answer.body}


def test_without_a_broker_what_sends_mail_is_no_route(account: RunningService) -> None:
    assert unserved(account) == set(SENDING_MAIL)
    assert account.ask("/user/@me/email", NOBODY).body.startswith(b'{"statusCode":404,"message":"Cannot GET')


def test_with_a_broker_alone_all_is_served_but_buying(data: MonolithData, gateway: Gateway, tmp_path: Path) -> None:
    broker_url = f"sqlite:///{tmp_path / 'broker.sqlite3'}"
    with running_service("account", data.url, gateway, BROKER_URL=broker_url, OPERATOR_TOKEN=OPERATOR) as account:
        assert unserved(account) == set()
        for method, target in (("POST", f"/item/buy/{UNKNOWN}"), ("GET", f"/purchases/{UNKNOWN}")):
            assert b"Cannot " in account.ask(target, ADMIN, method=method).body
        operator = {"Authorization": f"Bearer {OPERATOR}"}
        assert ask(account.port, "/internal/status", "GET", operator).status == 200
        with pytest.raises(TopologyDiffers):
            asyncio.run(depth(broker_url, "account.purchases"))


async def depth(broker_url: str, queue: str) -> int:
    broker = open_broker(broker_url, "mailer")
    try:
        return await broker.depth(queue)
    finally:
        await broker.aclose()


def test_a_mail_waits_for_mailer_and_outlives_the_process(data: MonolithData, gateway: Gateway, tmp_path: Path) -> None:
    broker_url, name = f"sqlite:///{tmp_path / 'broker.sqlite3'}", fresh()
    with running_service("account", data.url, gateway, BROKER_URL=broker_url) as account:
        signed_up(account, name)
        until(lambda: b"outbox_waits" in account.log.read_bytes(), "a mail that waits")
        account.process.kill()
        account.process.wait()
    asyncio.run(queues_of_mailer(broker_url))
    with running_service("account", data.url, gateway, BROKER_URL=broker_url) as account:
        (mail,) = mails_to(Mailing(data, 0, account, account, broker_url), f"{name}@example.org", 1)
    assert mail["variables"] == {"username": name, "token": token(data, f"{name}@example.org")}


def test_it_ends_in_time_though_a_mail_waits(data: MonolithData, gateway: Gateway, tmp_path: Path) -> None:
    broker_url = f"sqlite:///{tmp_path / 'broker.sqlite3'}"
    with running_service("account", data.url, gateway, BROKER_URL=broker_url) as account:
        signed_up(account, fresh())
        began = time.monotonic()
        assert stop(account.process) == 0
        assert time.monotonic() - began < DEADLINE_S
