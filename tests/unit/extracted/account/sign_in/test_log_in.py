"""Log-in and log-out at Account itself: whom it believes where a client is, who has to wait, what nobody sees."""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import count

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.database import migrations
from examples.monolith.storage import tables
from extracted.account.purchases.storage import MIGRATIONS
from tests.support.monolith.monolith_file import SECRET, MonolithData
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service

pytestmark = pytest.mark.walk
JSON = {"Content-Type": "application/json"}
PASSWORD, ANOTHER = "tell-nobody-this-one", "tell-nobody-another"
LIMITS = {"LOGIN_FAILURES_PER_PAIR": "2", "LOGIN_FAILURES_PER_USER": "4"}
NAMES = (f"somebody-{number}@example.org" for number in count())


@pytest.fixture(scope="module", params=["strict", "improved"])
def account(request: pytest.FixtureRequest, monolith: MonolithData, gateway: Gateway) -> Iterator[RunningService]:
    asyncio.run(migrations.upgrade(monolith.url, "account", MIGRATIONS))
    settings = {"AUTH_JWT_SECRET": SECRET, "COMPAT": request.param, **LIMITS}
    with running_service("account", monolith.url, gateway, **settings) as running:
        yield running


@pytest.fixture
def identity(monolith: MonolithData) -> str:
    name = next(NAMES)
    monolith.add_login(monolith.add_user("guest"), name, PASSWORD)
    return name


def is_strict(account: RunningService) -> bool:
    return account.ask("/auth/logout", method="POST").status == 404


def log_in(account: RunningService, identity: str, secret: str, address: str, *, signed: bool = True) -> Answer:
    """As the gateway passes it on; not `signed`: as anybody could who reaches Account."""
    body = json.dumps({"grantType": "implicit", "identity": identity, "secret": secret}).encode()
    fields = JSON | {"X-Strangler-Client-Address": address}
    if signed:
        return account.ask("/auth/token", method="POST", headers=fields, body=body)
    return ask(account.port, "/auth/token", "POST", fields, body)


def token(answer: Answer) -> str:
    assert answer.status == 201
    return str(json.loads(answer.body)["data"]["accessToken"])


def metrics(account: RunningService) -> Mapping[str, float]:
    lines = ask(account.port, "/metrics", "GET", {}).body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_who_fails_too_often_waits_and_is_told_nothing_else(account: RunningService, identity: str) -> None:
    wrong = log_in(account, identity, ANOTHER, "10.0.0.1")
    assert wrong.status == 401
    assert log_in(account, identity, ANOTHER, "10.0.0.1").body == wrong.body
    before = metrics(account)
    answers = [log_in(account, identity, ANOTHER, "10.0.0.1"), log_in(account, identity, PASSWORD, "10.0.0.1")]
    assert [answer.body for answer in answers] == [wrong.body] * 2
    assert [answer.headers.keys() for answer in answers] == [wrong.headers.keys()] * 2
    assert token(log_in(account, identity, PASSWORD, "10.0.0.2"))
    after = metrics(account)
    assert {name: after[name] - before[name] for name in after if after[name] != before.get(name)} == {
        'account_log_ins_total{result="invalid"}': 1,
        'account_log_ins_total{result="limited"}': 1,
        'account_log_ins_total{result="logged_in"}': 1,
        'account_log_ins_limited_total{scope="pair"}': 1,
    }
    slowed = [line for line in account.logged() if line["event"] == "log_ins_slowed" and line["address"] == "10.0.0.1"]
    assert slowed[-1]["scope"] == "pair"


def test_an_address_counts_only_beside_the_gateways_token(account: RunningService, identity: str) -> None:
    """Without it, other addresses give no further tries; and nobody else is slowed down."""
    for number in range(5):
        assert log_in(account, identity, ANOTHER, f"10.1.0.{number}", signed=False).status == 401
    assert log_in(account, identity, PASSWORD, "10.1.0.9", signed=False).status == 401
    two = {"X-Strangler-Client-Address": "10.1.0.10", "x-strangler-client-address": "10.1.0.11"}
    sent = json.dumps({"grantType": "implicit", "identity": identity, "secret": PASSWORD}).encode()
    assert account.ask("/auth/token", method="POST", headers=JSON | two, body=sent).status == 401


def test_whether_somebody_exists_is_told_as_the_monolith_does_or_not_at_all(
    account: RunningService, identity: str
) -> None:
    bodies = {log_in(account, name, ANOTHER, "10.2.0.1").body for name in (identity, "nobody@example.org")}
    assert len(bodies) == (2 if is_strict(account) else 1)


def test_a_log_out_ends_the_token_under_improved_and_is_a_404_under_strict(
    account: RunningService, identity: str, monolith: MonolithData
) -> None:
    mine, other = (token(log_in(account, name, PASSWORD, "10.3.0.1")) for name in (identity, fresh(monolith)))
    answer = log_out(account, f"Bearer {mine}")
    if is_strict(account):
        assert answer.body == b'{"statusCode":404,"message":"Cannot POST /auth/logout","error":"Not Found"}'
        assert rows(monolith, mine) == rows(monolith, other) == 1
        assert b"Cannot POST /Auth/Logout/?a=b" in account.ask("/Auth/Logout/?a=b", method="POST").body
        return
    assert (answer.status, answer.body) == (204, b"")
    assert (rows(monolith, mine), rows(monolith, other)) == (0, 1)
    assert [log_out(account, value).status for value in (f"Bearer {mine}", "Foo nonsense")] == [204, 204]
    assert [log_out(account, value).status for value in ("", "Bearer", f"Bearer {other} x")] == [401] * 3
    unsigned = ask(account.port, "/auth/logout", "POST", {"X-Strangler-Client-Credential": f"Bearer {other}"})
    assert (unsigned.status, rows(monolith, other)) == (401, 1)


def log_out(account: RunningService, credential: str) -> Answer:
    user = Identity(AuthenticationOutcome.USER, "4c75e3f0-d974-40dd-8e6c-27e29c1df764", ("guest",))
    return account.ask("/auth/logout", user, method="POST", headers={"X-Strangler-Client-Credential": credential})


def fresh(monolith: MonolithData) -> str:
    name = next(NAMES)
    monolith.add_login(monolith.add_user("guest"), name, PASSWORD)
    return name


def rows(monolith: MonolithData, access_token: str) -> int:
    return sum(row["hashed_token"] == digest(access_token) for row in monolith.rows(tables.auth_oauth2_tokens))


def test_no_log_line_holds_a_password_an_identity_or_a_token(account: RunningService, identity: str) -> None:
    issued = token(log_in(account, identity, PASSWORD, "10.4.0.1"))
    for _ in range(4):
        log_in(account, identity, ANOTHER, "10.4.0.1")
    log_in(account, identity, PASSWORD + "\0", "10.4.0.2")
    account.ask("/auth/token", method="POST", headers=JSON, body=b'{"secret":"' + PASSWORD.encode())
    log_out(account, f"Bearer {issued}")
    text = account.log.read_text()
    assert "log_ins_slowed" in text
    assert [secret for secret in (PASSWORD, ANOTHER, "somebody-", issued) if secret in text] == []


def digest(access_token: str) -> str:
    return hashlib.sha256(access_token.encode()).hexdigest()
