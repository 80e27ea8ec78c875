"""Account as a process: its settings, its image, its health, and what it logs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithData, MonolithFile
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
