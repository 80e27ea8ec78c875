"""Sign-up, log-in, roles and log-out behind the real gateway: each side of a canary knows what the other did."""

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from chassis.database import migrations
from examples.monolith.storage import tables
from extracted.account.purchases.storage import MIGRATIONS
from strangler_gateway.cli.app import app as strangler_app
from tests.http.gateway_process import GatewayProcess
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import SECRET, MonolithData
from tests.support.stores import EVERYWHERE, OpenStores, on_sqlite
from tests.support.system.waiting import until
from tests.unit.extracted.running import Answer, Gateway, ask, running_service

pytestmark = pytest.mark.walk

DEBUG_TOKEN, OPERATOR_TOKEN = "a-debug-token-of-the-test-run", "an-operator-token-of-the-test-run"
ROUTES = Path(__file__).parents[3] / "routes.yaml"
SIDES = ("legacy", "extracted")
JSON = {"Content-Type": "application/json"}
PASSWORD = "correct horse 9"


@dataclass(frozen=True)
class Behind:
    """`gateway`: in front of both sides, with users, teams and sign-in in canary at 50 %."""

    gateway: GatewayProcess
    monolith_port: int
    file: MonolithData

    def ask(
        self, method: str, target: str, side: str | None = None, token: str = "", body: object = None
    ) -> tuple[Answer, str]:
        """Who answered is told, too. Without a `side`, the gateway chooses."""
        headers = {"Strangler-Debug": DEBUG_TOKEN} | ({"Strangler-Override": side} if side else {})
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        content = None if body is None else json.dumps(body).encode()
        answer = ask(self.gateway.port, target, method, headers | ({} if body is None else JSON), content)
        chosen = answer.headers["strangler-decision"].partition(";")[0]
        assert side in (None, chosen)
        return answer, chosen

    def status(self, method: str, target: str, side: str, token: str = "", body: object = None) -> int:
        return self.ask(method, target, side, token, body)[0].status

    def sign_up(self, side: str) -> str:
        """The new user's name."""
        name = f"n{uuid.uuid4().hex[:12]}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        assert self.status("POST", "/user", side, body=body) == 201
        return name

    def log_in(self, name: str, side: str | None = None) -> tuple[str, str]:
        """The token, and who issued it."""
        body = {"grantType": "implicit", "identity": f"{name}@example.org", "secret": PASSWORD}
        answer, chosen = self.ask("POST", "/auth/token", side, body=body)
        assert answer.status == 201, answer.body
        return str(json.loads(answer.body)["data"]["accessToken"]), chosen

    def link_of(self, name: str) -> str:
        rows = self.file.rows(tables.user_emails)
        return (
            f"/user/email/validate/{next(r['verification_token'] for r in rows if r['email'].startswith(f'{name}@'))}"
        )

    def strangler(self, *words: str) -> None:
        """Runs a command of an operator."""
        url = f"http://127.0.0.1:{self.gateway.admin_port}"
        done = CliRunner().invoke(
            strangler_app, [*words, "--admin", url], env={"STRANGLER_ADMIN_TOKEN": OPERATOR_TOKEN}
        )
        assert done.exit_code == 0, done.stdout


@contextmanager
def behind(directory: Path, open_stores: OpenStores, compat: str) -> Iterator[Behind]:
    stores = open_stores(directory)
    with ExitStack() as stack:
        monolith = stack.enter_context(running_monolith_on(stores, seed="bare"))
        file, keys = MonolithData(stores), Gateway()
        stack.callback(file.close)
        stack.callback(keys.close)
        asyncio.run(migrations.upgrade(file.url, "account", MIGRATIONS))
        settings = {"AUTH_JWT_SECRET": SECRET, "COMPAT": compat, "BROKER_URL": f"sqlite:///{directory}/broker.sqlite3"}
        account = stack.enter_context(running_service("account", file.url, keys, **settings))
        urls = {"MONOLITH_URL": monolith.url, "ACCOUNT_URL": f"http://127.0.0.1:{account.port}"}
        secrets = {
            "AUTH_JWT_SECRET": SECRET,
            "LEGACY_DATABASE_URL": file.url,
            "STRANGLER_SIGNING_KEY": keys.signing_key,
            "STRANGLER_DEBUG_TOKEN": DEBUG_TOKEN,
            "STRANGLER_OPERATOR_TOKEN": OPERATOR_TOKEN,
        }
        (directory / "routes.yaml").write_text(json.dumps(_in_canary()))  # JSON is YAML
        gateway = GatewayProcess(directory / "routes.yaml", directory / "state", {**urls, **secrets})
        stack.callback(gateway.stop)
        yield Behind(gateway, monolith.port, file)


def _in_canary() -> Mapping[str, Any]:
    table = YAML(typ="safe").load(ROUTES.read_text())
    for name in ("users", "teams", "sign-in"):
        table["groups"][name] |= {"state": "canary", "share": 50}
    return dict(table)


@pytest.fixture(scope="module", params=EVERYWHERE)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind(tmp_path_factory.mktemp("both"), request.param, "strict") as running:
        yield running


@pytest.mark.parametrize("signs_up", SIDES)
@pytest.mark.parametrize("logs_in", SIDES)
def test_roles_change_on_both_sides_at_once_for_a_token_of_either(both: Behind, signs_up: str, logs_in: str) -> None:
    """Nobody keeps a copy of a role: both sides read the same rows at each request."""
    name = both.sign_up(signs_up)
    token, _ = both.log_in(name, logs_in)
    assert [both.status("GET", "/user", side, token) for side in SIDES] == [403, 403]
    assert both.status("POST", both.link_of(name), signs_up) == 204
    assert [both.status("GET", "/user", side, token) for side in SIDES] == [200, 200]
    team, _ = both.ask("POST", "/team", logs_in, token, {"name": name, "description": ""})
    where = f"/team/{json.loads(team.body)['data']['id']}"
    for side in SIDES:
        assert both.status("PATCH", where, side, token, {"description": side}) == 200
    assert both.status("DELETE", where, signs_up, token) == 204
    assert [both.status("PATCH", where, side, token, {"description": "x"}) for side in SIDES] == [403, 403]


def test_in_canary_both_sides_issue_tokens_and_each_is_good_on_both(both: Behind) -> None:
    name = both.sign_up("extracted")
    issued = [both.log_in(name) for _ in range(24)]
    assert {side for _, side in issued} == set(SIDES)
    for token in {token for token, _ in issued}:
        assert [both.status("GET", "/user/@me", side, token) for side in SIDES] == [200, 200]


def test_a_rollback_right_after_a_sign_up_locks_nobody_out(both: Behind) -> None:
    """And neither does the way forward again."""
    new, old = both.sign_up("extracted"), both.sign_up("legacy")
    before, _ = both.log_in(new, "extracted")
    for group in ("users", "sign-in"):
        both.strangler("rollback", group)
    try:
        for name in (new, old):
            token, side = both.log_in(name)
            assert side == "legacy"
            assert both.ask("GET", "/user/@me", None, token)[0].status == 200
        assert both.ask("GET", "/user/@me", None, before)[0].status == 200
        later = both.sign_up("legacy")
    finally:
        forward = ("--why", "the test goes on", "--force")
        both.strangler("release", "--all")
        both.strangler("flip", "users", "--to", "shadow", *forward)
        for group in ("users", "sign-in"):
            both.strangler("flip", group, "--to", "canary", "--share", "50", *forward)
    for name in (new, old, later):
        assert both.log_in(name, "extracted")


def test_a_403_costs_one_refresh_attempt_that_is_refused_as_today(both: Behind) -> None:
    """What the web client sends (contract §3.4): its key refreshToken is missing."""
    token, _ = both.log_in(both.sign_up("extracted"))
    answers = []
    for side in SIDES:
        assert both.status("GET", "/user", side, token) == 403
        answers.append(both.ask("POST", "/auth/token", side, token, {"grantType": "refresh_token"})[0])
        assert both.status("POST", "/auth/logout", side, token, {}) == 404
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].body == answers[1].body


def test_under_improved_a_log_out_ends_the_token_on_both_sides(tmp_path: Path) -> None:
    with behind(tmp_path, on_sqlite, "improved") as both:
        token, _ = both.log_in(both.sign_up("extracted"), "extracted")
        assert [both.status("GET", "/user/@me", side, token) for side in SIDES] == [200, 200]
        assert both.status("POST", "/auth/logout", "extracted", token, {}) == 204
        assert both.status("GET", "/user/@me", "legacy", token) == 403
        until(lambda: both.status("GET", "/user/@me", "extracted", token) == 403, "the grant ends")
