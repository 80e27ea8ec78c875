"""What tests of sign-up and e-mails do over and over."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.messaging.open import open_broker
from chassis.messaging.port import Delivery
from examples.monolith.storage import tables
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.account.conftest import Mailing
from tests.unit.extracted.running import Answer, RunningService, ask

JSON = {"Content-Type": "application/json"}
PASSWORD = "correct horse 9"
DEADLINE_S = 60.0
POLL_S = 0.02
OF_AN_ACCOUNT = (
    tables.users,
    tables.user_emails,
    tables.user_settings,
    tables.auth_subjects,
    tables.auth_subject_credentials,
    tables.auth_subject_roles,
)


def fresh() -> str:
    """A name that nobody has."""
    return f"n-{uuid.uuid4().hex[:12]}"


def newcomer(name: str, **more: object) -> dict[str, object]:
    return {"username": name, "password": PASSWORD, "email": f"{name}@example.org"} | more


def posted(service: RunningService, target: str, body: object = None, who: Identity = NOBODY) -> Answer:
    return service.ask(
        target, who, method="POST", headers=JSON, body=None if body is None else json.dumps(body).encode()
    )


def signed_up(service: RunningService, name: str, **more: object) -> str:
    """The user's id."""
    answer = posted(service, "/user", newcomer(name, **more))
    assert answer.status == 201, answer.body
    return str(json.loads(answer.body)["data"]["id"])


def who(user_id: str, *roles: str) -> Identity:
    """A verified user, unless told otherwise."""
    return Identity(AuthenticationOutcome.USER, user_id, roles or ("guest", "user"))


def email(data: MonolithData, address: str) -> dict[str, Any] | None:
    return next((row for row in data.rows(tables.user_emails) if row["email"] == address), None)


def token(data: MonolithData, address: str) -> str:
    row = email(data, address)
    assert row is not None
    return str(row["verification_token"])


def login(mailing: Mailing, identity: str, secret: str) -> int:
    """What the monolith says."""
    body = {"grantType": "implicit", "identity": identity, "secret": secret}
    return ask(mailing.monolith_port, "/auth/token", "POST", JSON, json.dumps(body).encode()).status


def counted(data: MonolithData) -> list[int]:
    """How many rows accounts are made of."""
    return [len(data.rows(table)) for table in OF_AN_ACCOUNT]


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[int]:
    """What they are answered with, each from a thread of its own; sorted."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(answer.status for answer in threads.map(lambda call: call(), calls))


def mails_to(mailing: Mailing, address: str, count: int) -> list[dict[str, Any]]:
    """The first so many that Mailer is asked to send there, once they are there."""
    asyncio.run(_received(mailing, address, count))
    return _to(mailing, address)[:count]


def _to(mailing: Mailing, address: str) -> list[dict[str, Any]]:
    return [body for body in mailing.received if body["recipient"] == address]


async def _received(mailing: Mailing, address: str, count: int) -> None:
    async def take(delivery: Delivery) -> None:
        assert delivery.envelope().type == "mail.requested.v1"
        mailing.received.append(dict(delivery.envelope().body))

    broker = open_broker(mailing.broker_url, "mailer")
    subscription = await broker.consume("mailer.requests", take)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while len(_to(mailing, address)) < count:
            assert time.monotonic() < deadline, f"{len(_to(mailing, address))} mails to {address}, wanted {count}"
            await asyncio.sleep(POLL_S)
    finally:
        await subscription.stop()
        await broker.aclose()
