"""Account as a process: its settings, its image, its health, and what it logs."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.database import migrations
from extracted.account.purchases.storage import MIGRATIONS
from strangler_gateway.cli.app import app as strangler_app
from tests.http.gateway_process import GatewayProcess
from tests.support.monolith.monolith_file import SECRET, MonolithData, MonolithFile
from tests.unit.extracted.running import ROOT, START_TIMEOUT_S, Gateway, RunningService, ask, running_service

pytestmark = pytest.mark.walk
ADMIN = Identity(AuthenticationOutcome.USER, "4c75e3f0-d974-40dd-8e6c-27e29c1df764", ("admin",))


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ACCOUNT_")} | variables
    command = [sys.executable, "-m", "extracted.account", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )


def test_help_names_every_setting() -> None:
    shown = run("--help").stdout
    settings = (ROOT / "extracted" / "account" / "settings.py").read_text()
    names = re.findall(r"^    (\w+): ", settings, re.MULTILINE)
    assert {f"ACCOUNT_{name.upper()}" for name in names} <= set(re.findall(r"ACCOUNT_\w+", shown))
    assert len(names) >= 8


def test_wrong_settings_are_all_named_and_never_shown() -> None:
    wrong = {"COMPAT": "lenient", "DATABASE_TIMEOUT_S": "0", "DATABASE_URL": "sqlite:///x?password=tell-nobody"}
    ended = run("--port", "0", **{f"ACCOUNT_{name}": value for name, value in wrong.items()})
    assert ended.returncode == 2
    named = {line.partition(":")[0] for line in ended.stderr.splitlines()}
    assert named == {"ACCOUNT_JWKS_URL", "ACCOUNT_COMPAT", "ACCOUNT_DATABASE_TIMEOUT_S"}
    assert "tell-nobody" not in ended.stderr


KEYCLOAK = {
    "KEYCLOAK_URL": "http://127.0.0.1:9",
    "KEYCLOAK_CLIENT_SECRET": "secret-of-the-client",
    "KEYCLOAK_ADMIN_CLIENT_SECRET": "secret-of-the-administration",
    "AUTH_JWT_SECRET": SECRET,
}
"""Nothing listens there."""


@pytest.mark.parametrize("missing", KEYCLOAK)
def test_a_half_configured_keycloak_is_refused_with_all_that_it_needs(missing: str, tmp_path: Path) -> None:
    own = KEYCLOAK | {"DATABASE_URL": f"sqlite:///{tmp_path / 'monolith.sqlite3'}", "JWKS_URL": "http://127.0.0.1:9/k"}
    ended = run("--port", "0", **{f"ACCOUNT_{name}": value for name, value in own.items() if name != missing})
    assert ended.returncode == 2
    assert f"ACCOUNT_{missing}" in ended.stderr
    assert not [value for name, value in KEYCLOAK.items() if "SECRET" in name and value in ended.stderr]


def test_keycloak_needs_accounts_own_tables(tmp_path: Path) -> None:
    MonolithFile(tmp_path / "monolith.sqlite3").close()
    own = KEYCLOAK | {"DATABASE_URL": f"sqlite:///{tmp_path / 'monolith.sqlite3'}", "JWKS_URL": "http://127.0.0.1:9/k"}
    ended = run("--port", "0", **{f"ACCOUNT_{name}": value for name, value in own.items()})
    assert ended.returncode == 1
    assert "python -m extracted.account migrate" in ended.stderr


def test_account_starts_and_logs_in_while_keycloak_is_away(gateway: Gateway, tmp_path: Path) -> None:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    asyncio.run(migrations.upgrade(file.url, "account", MIGRATIONS))
    file.add_login(file.add_user("guest"), "a@b.example", "correct horse 9")
    with running_service("account", file.url, gateway, **KEYCLOAK) as account:
        for secret, status in (("correct horse 9", 201), ("another one", 401)):
            body = json.dumps({"grantType": "implicit", "identity": "a@b.example", "secret": secret}).encode()
            headers = {"Content-Type": "application/json"}
            assert account.ask("/auth/token", method="POST", headers=headers, body=body).status == status
        assert "correct horse 9" not in account.log.read_text()
    file.close()


def test_health_tells_a_live_process_from_one_that_can_work(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "monolith.sqlite3"
    with running_service("account", f"sqlite:///{path}", gateway) as account:
        assert ask(account.port, "/health/live", "GET", {}).status == 200
        assert ask(account.port, "/health/ready", "GET", {}).status == 503
        for method, target in (("GET", "/user"), ("GET", "/team"), ("DELETE", "/user/@me"), ("PATCH", "/user/@me")):
            answer = account.ask(target, ADMIN, method=method)
            assert answer.body == b'{"statusCode":500,"message":"Internal Server Error"}'
        assert not path.exists()
        MonolithFile(path).close()
        assert ask(account.port, "/health/ready", "GET", {}).status == 200
        assert account.ask("/user", ADMIN).status == 200


def test_a_group_whose_routes_need_a_broker_stays_until_account_has_one(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "monolith.sqlite3"
    MonolithFile(path).close()
    shutil.copy(ROOT / "routes.yaml", tmp_path)
    database, broker = f"sqlite:///{path}", f"sqlite:///{tmp_path}/broker.sqlite3"
    asyncio.run(migrations.upgrade(database, "account", ROOT / "extracted" / "account" / "migrations"))
    environ = {"STRANGLER_OPERATOR_TOKEN": "op", "LEGACY_DATABASE_URL": database, "AUTH_JWT_SECRET": "x" * 32}
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN", "op")

    def flip(account: RunningService, group: str) -> Result:
        own = environ | {"ACCOUNT_URL": f"http://127.0.0.1:{account.port}"}
        strangler = GatewayProcess(tmp_path / "routes.yaml", tmp_path / "state", own)
        try:
            words = ("flip", group, "--to", "shadow", "--why", "t", "--admin")
            return CliRunner().invoke(strangler_app, (*words, f"http://127.0.0.1:{strangler.admin_port}"))
        finally:
            strangler.stop()

    with running_service("account", database, gateway) as account:
        refused = flip(account, "users")
        assert (refused.exit_code, "users stays in legacy" in refused.stdout) == (1, True)
        assert "does not serve POST /user (user-create), " in refused.stdout
        assert "ACCOUNT_BROKER_URL is not set" in refused.stdout
    with running_service("account", database, gateway, BROKER_URL=broker) as account:
        assert flip(account, "users").exit_code == 0
        refused = flip(account, "points")
        assert "POST /item/buy/{id} (item-buy), GET /purchases/{id} (purchase-read) of points" in refused.stdout
        assert (
            "ACCOUNT_SHOP_URL and ACCOUNT_SHOP_TOKEN (or ACCOUNT_SERVICE_CLIENT_SECRET) are not both set"
            in refused.stdout
        )
    with running_service("account", f"sqlite:///{tmp_path}/none.sqlite3", gateway) as account:
        refused = flip(account, "teams")
        assert (refused.exit_code, "it answered 503, a 2xx is required" in refused.stdout) == (1, True)


def test_a_token_for_another_service_is_none(account: RunningService) -> None:
    headers = account.gateway.authorization(ADMIN, "shop")
    answer = ask(account.port, "/user", "GET", headers)
    assert (answer.status, answer.body) == (401, b'{"statusCode":401,"message":"Unauthorized"}')


@pytest.mark.parametrize("content", [b'{"username": "tell-nobody\\u0000"}', b'{"description": "tell-nobody\\u0000"}'])
def test_what_a_user_sent_is_not_logged(account: RunningService, monolith: MonolithData, content: bytes) -> None:
    user = Identity(AuthenticationOutcome.USER, monolith.add_user("user"), ("user",))
    answer = account.ask("/user/@me", user, method="PATCH", headers={"Content-Type": "application/json"}, body=content)
    assert answer.status == 500
    assert "tell-nobody" not in account.log.read_text()
    assert all(json.loads(line) for line in account.log.read_text().splitlines())
