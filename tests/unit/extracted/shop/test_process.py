"""The shop as a process: how it starts, how it says that it cannot, what it logs, how it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import ROOT, START_TIMEOUT_S, Gateway, RunningShop, ask, running_shop, stop

pytestmark = pytest.mark.walk

ADMIN = Identity(AuthenticationOutcome.USER, "4c75e3f0-d974-40dd-8e6c-27e29c1df764", ("admin",))


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")} | variables
    command = [sys.executable, "-m", "extracted.shop", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )


def test_help_names_the_settings() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert {"SHOP_DATABASE_URL", "SHOP_JWKS_URL", "--port"} <= {
        word.strip("[],;.") for word in shown.stdout.replace("[", " ").split()
    }


def test_the_folders_of_its_image_suffice(tmp_path: Path) -> None:
    lines = (ROOT / "extracted" / "shop" / "Dockerfile").read_text().splitlines()
    for source, target in (line.split()[1:] for line in lines if line.startswith("COPY ") and "--from" not in line):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target)
        elif target != ".":
            (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / target)
    code = (
        "import sys, extracted.shop.main; print(*(m.__file__ for m in sys.modules.values() if hasattr(m, '__file__')))"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=True)
    ours = {"chassis", "extracted", "legacy_adapter", "strangler_gateway", "examples"}
    loaded = {Path(file) for file in ended.stdout.split()}
    assert [path for path in loaded if ROOT in path.parents and path.relative_to(ROOT).parts[0] in ours] == []
    assert tmp_path / "extracted" / "shop" / "main.py" in loaded


def test_wrong_settings_are_all_named_and_never_shown() -> None:
    ended = run("--port", "0", SHOP_ENVIRONMENT="staging", SHOP_DATABASE_URL="sqlite:///x?password=tell-nobody")
    assert ended.returncode == 2
    assert {line.partition(":")[0] for line in ended.stderr.splitlines()} == {"SHOP_JWKS_URL", "SHOP_ENVIRONMENT"}
    assert "tell-nobody" not in ended.stderr


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:"])
def test_a_database_url_that_cannot_be_used_ends_it(url: str) -> None:
    ended = run("--port", "0", SHOP_DATABASE_URL=url, SHOP_JWKS_URL="http://127.0.0.1:1/jwks.json")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "sqlite:///PATH" in ended.stderr


def test_a_port_that_is_taken_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--port", port, SHOP_DATABASE_URL=f"sqlite:///{tmp_path}/x", SHOP_JWKS_URL="http://127.0.0.1:1/")
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["event"] == "cannot_listen"
    assert "Traceback" not in ended.stderr


def test_the_database_url_may_come_from_a_file(gateway: Gateway, monolith: MonolithFile, tmp_path: Path) -> None:
    secret = tmp_path / "database-url"
    secret.write_text(f"{monolith.url}\n")
    with running_shop("", gateway, DATABASE_URL_FILE=str(secret)) as shop:
        assert shop.ask("/item", ADMIN).status == 200


def test_health_tells_a_live_process_from_one_that_can_work(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "monolith.sqlite3"
    with running_shop(f"sqlite:///{path}", gateway) as shop:
        assert ask(shop.port, "/health/live", "GET", {}).status == 200
        assert ask(shop.port, "/health/ready", "GET", {}).status == 503
        assert shop.ask("/item", ADMIN).body == b'{"statusCode":500,"message":"Internal Server Error"}'
        assert not path.exists()
        MonolithFile(path).close()
        assert ask(shop.port, "/health/ready", "GET", {}).status == 200
        assert shop.ask("/item", ADMIN).status == 200
        assert ask(shop.port, "/health", "GET", {}).status == 404


def test_without_the_gateways_keys_nobody_can_be_told_apart(monolith: MonolithFile, gateway: Gateway) -> None:
    with running_shop(monolith.url, gateway, JWKS_URL="http://127.0.0.1:1/jwks.json") as shop:
        assert shop.ask("/item", ADMIN).status == 503


def test_what_nobody_expected_is_logged_and_not_shown(gateway: Gateway, tmp_path: Path) -> None:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    item = file.add_item()
    file.break_item(item)
    with running_shop(file.url, gateway) as shop:
        answer = shop.ask(f"/item/{item}", ADMIN, headers={"X-Request-Id": "request-7", "Origin": "https://a.example"})
        assert (answer.status, answer.body) == (500, b'{"statusCode":500,"message":"Internal server error"}')
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        (line,) = [line for line in shop.logged() if line["event"] == "unexpected_error"]
    assert (line["request_id"], line["path"], line["level"], line["service"]) == (
        "request-7",
        f"/item/{item}",
        "error",
        "shop",
    )
    assert "Traceback" in str(line["exception"])


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, 'quote"d'])
def test_an_odd_request_id_is_replaced(shop: RunningShop, request_id: str) -> None:
    ask(shop.port, "/item", "GET", {"X-Request-Id": request_id})
    assert shop.logged()[-1]["request_id"] != request_id


def test_a_caller_without_the_gateways_token_is_logged_and_the_token_is_not(shop: RunningShop) -> None:
    ask(shop.port, "/item", "GET", {"Authorization": "Bearer tell.nobody.ever"})
    assert shop.logged()[-1]["event"] == "internal_token_rejected"
    assert "nobody.ever" not in shop.log.read_text()


def test_sigterm_finishes_what_is_under_way_and_ends_well(gateway: Gateway, monolith: MonolithFile) -> None:
    with running_shop(monolith.url, gateway) as shop, socket.create_connection(("127.0.0.1", shop.port)) as client:
        client.settimeout(START_TIMEOUT_S)
        client.sendall(
            b"GET /item HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{b"
        )
        ask(shop.port, "/health/live", "GET", {})  # what was sent before on another connection has been read by then
        shop.process.send_signal(signal.SIGTERM)
        while _accepts(shop.port):
            pass
        client.sendall(b"ad")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert stop(shop.process) == 0


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT_S).close()
    except ConnectionError:
        return False
    return True
