"""`strangler serve` and the commands against it, while clients keep calling."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Set
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from strangler_gateway.cli.app import app
from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.administered import OPERATOR

ROUTES = """\
version: 1
services:
  monolith: {{url: "http://127.0.0.1:{monolith}"}}
  items: {{url: "http://127.0.0.1:{items}"}}
groups:
  items: {{state: legacy, gate: {{min: 5}}}}  # owned by team A
routes:
  - id: item-read
    group: items
    match: {{methods: [GET], path: "/item/{{id}}"}}
    legacy: monolith
    extracted: items
    shadow: {{pure: true}}
  - id: everything-else
    match: {{path: "/{{rest...}}"}}
    legacy: monolith
"""


class Upstream(ThreadingHTTPServer):
    """Answers everything with the same JSON; `more` is added to it, `seen` counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.seen = 0
        self.status = 200
        self.more: dict[str, object] = {}
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Upstream)
        self.server.seen += 1
        body = json.dumps({"path": self.path, **self.server.more}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class Callers:
    """A client that keeps calling on one connection; `failed` holds what went wrong."""

    def __init__(self, port: int, statuses: Set[int] = frozenset({200})) -> None:
        self.answered = 0
        self._statuses = statuses
        self.failed: list[object] = []
        self._port = port
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self._thread.start()

    def _call(self) -> None:
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
                connection.connect()
                socket = connection.sock
                while not self._end.wait(0.002):
                    connection.request("GET", f"/item/{self.answered}")
                    answer = connection.getresponse()
                    body = answer.read()
                    assert (answer.status in self._statuses, connection.sock is socket) == (True, True), body
                    self.answered += 1
        except (OSError, http.client.HTTPException, AssertionError) as exc:
            self.failed.append(exc)

    def stop(self) -> None:
        self._end.set()
        self._thread.join(10)


class Site:
    """Both upstreams and a gateway before them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.monolith, self.items = Upstream(), Upstream()
        self.routes = folder / "routes.yaml"
        self.routes.write_text(ROUTES.format(monolith=self.monolith.port, items=self.items.port))
        self.gateway = self.start()

    def start(self) -> GatewayProcess:
        return GatewayProcess(self.routes, self.folder / "state", {"STRANGLER_OPERATOR_TOKEN": OPERATOR})

    def close(self) -> None:
        self.gateway.stop()
        self.monolith.close()
        self.items.close()

    def run(self, *words: str) -> Result:
        """The command in this process; that it is one of its own, test_cli.py knows."""
        environ = {
            "STRANGLER_ADMIN_URL": f"http://127.0.0.1:{self.gateway.admin_port}",
            "STRANGLER_ADMIN_TOKEN": OPERATOR,
            "COLUMNS": "200",
        }
        return CliRunner().invoke(app, words, env=environ)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.exit_code == 0, done.output
        return done.stdout

    def shown(self) -> Any:
        return next(route for route in json.loads(self.ok("routes", "--json"))["routes"] if route["id"] == "item-read")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def until(true: Any, within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def more_than(upstream: Upstream, least: int = 5) -> Any:
    wanted = upstream.seen + least
    return lambda: upstream.seen >= wanted


def test_a_group_moves_and_rolls_back_under_traffic_without_a_lost_request(site: Site) -> None:
    callers = Callers(site.gateway.port)
    until(more_than(site.monolith))
    site.ok("flip", "items", "--to", "shadow", "--why", "t")
    until(lambda: site.shown()["shadow"]["compared"] >= 5)
    site.ok("flip", "items", "--to", "canary", "--share", "10", "--why", "t")
    site.ok("flip", "items", "--to", "extracted", "--why", "t", "--force")  # these callers are no users
    until(more_than(site.items))
    monolith = site.monolith.seen
    until(more_than(site.items, 20))
    assert site.monolith.seen <= monolith + 1
    site.ok("rollback", "items")
    until(more_than(site.monolith))
    items = site.items.seen
    until(more_than(site.monolith, 20))
    assert site.items.seen <= items + 1
    assert site.run("flip", "items", "--to", "shadow", "--why", "t").exit_code == 1
    callers.stop()
    assert callers.failed == []
    assert callers.answered > 50
    assert site.shown()["shadow"]["different"] == 0
    assert "items: {state: legacy, share: 10, gate: {min: 5}}  # owned by team A" in site.routes.read_text()
    assert site.gateway.complaints() == []


def test_a_hold_and_the_counters_outlive_a_kill(site: Site) -> None:
    site.ok("flip", "items", "--to", "shadow", "--why", "t")
    site.ok("rollback", "items", "--why", "errors")
    site.routes.write_text(site.routes.read_text().replace("state: legacy", "state: shadow"))
    site.gateway.process.kill()
    site.gateway.stop()
    site.gateway = site.start()
    assert (site.shown()["state"], site.shown()["held"]) == ("legacy", True)
    assert "on hold" in site.ok("diff")
    assert "rollback" in site.ok("log")


def test_differences_outlive_a_restart_and_a_broken_file_of_them_stops_no_start(site: Site) -> None:
    site.items.more = {"price": 1}
    site.ok("flip", "items", "--to", "shadow", "--why", "t")
    callers = Callers(site.gateway.port)
    until(lambda: site.shown()["shadow"]["different"] >= 2)
    callers.stop()
    site.gateway.stop()
    kept = site.folder / "state" / "differences.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    site.gateway = site.start()
    assert "$.price  legacy absent, extracted integer" in site.ok("differences", "item-read")
    site.gateway.stop()
    kept.write_bytes(b"[{")
    site.gateway = site.start()
    site.gateway.logged("the examples of differences start anew")
    assert "no difference was seen" in site.ok("differences", "item-read")


def breaking(site: Site) -> None:
    """In canary, with callers that the share is drawn for; the service still works."""
    text = site.routes.read_text().replace("state: legacy", "anonymous: random, state: legacy")
    site.gateway.stop()
    site.routes.write_text(text)
    site.gateway = site.start()
    site.ok("flip", "items", "--to", "shadow", "--why", "t")


FLIP = ("flip", "items", "--to", "canary", "--share", "50", "--why", "t", "--force", "--watch", "60s")


def test_a_service_that_answers_500_after_the_flip_is_rolled_back_by_the_watch(site: Site) -> None:
    breaking(site)
    site.items.status = 500
    callers = Callers(site.gateway.port, statuses={200, 500})
    done = site.run(*FLIP, "--rollback-on-errors")
    until(more_than(site.monolith))
    items = site.items.seen
    until(more_than(site.monolith, 20))
    callers.stop()
    assert callers.failed == []
    assert (done.exit_code, "items: rolled back automatically, and on hold" in done.stdout) == (1, True)
    assert site.items.seen <= items + 1
    assert (site.shown()["state"], site.shown()["held"]) == ("legacy", True)
    assert "rollback (automatic)" in site.ok("log")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_gateway_watches_on_when_the_command_that_asked_for_it_ends(site: Site, number: int) -> None:
    breaking(site)
    callers = Callers(site.gateway.port, statuses={200, 500})
    words = [*FLIP, "--rollback-on-errors", "--admin", f"http://127.0.0.1:{site.gateway.admin_port}"]
    command = [sys.executable, "-m", "strangler_gateway.cli.app", *words]
    environ = os.environ | {"STRANGLER_ADMIN_TOKEN": OPERATOR}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as watcher:
        assert watcher.stdout is not None
        until(lambda: " of 60 s: " in watcher.stdout.readline())
        watcher.send_signal(number)
        told = watcher.stdout.read()
    if number == signal.SIGINT:
        assert (watcher.returncode, "it watches until the time is up" in told) == (1, True)
    assert site.shown()["state"] == "canary"
    site.items.status = 500
    until(lambda: site.shown()["held"])
    callers.stop()
    assert callers.failed == []
    assert "rollback (automatic)" in site.ok("log")


def test_a_bad_file_stops_the_start_with_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("version: 2\nservices: {}\n")
    command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", "--routes", str(file), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode != 0
    assert "line 1: version" in done.stderr
    assert "routes" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_gateway_on_the_directory_ends_and_names_the_first_until_a_kill_frees_it(site: Site) -> None:
    command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", "--routes", str(site.routes)]
    command += ["--port", "0", "--admin-port", "0", "--state-dir", str(site.folder / "state")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (second.returncode, "Traceback" in second.stderr) == (1, False)
    assert f"process {site.gateway.process.pid} on " in second.stderr
    assert "--state-dir" in second.stderr
    assert site.shown()["state"] == "legacy"
    site.gateway.process.kill()
    site.gateway.stop()
    site.gateway = site.start()
    assert site.shown()["state"] == "legacy"


def test_a_state_directory_that_cannot_be_written_is_said_and_rollback_works(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file is in the way")
    site = Site(tmp_path)
    try:
        site.gateway.logged("state directory")
        assert "flips are off" in site.ok("routes")
        refused = site.run("flip", "items", "--to", "shadow", "--why", "t")
        assert (refused.exit_code, "flips are off" in refused.stdout) == (1, True)
        assert "in memory" in site.ok("rollback", "items")
        assert site.shown()["held"]
    finally:
        site.close()
