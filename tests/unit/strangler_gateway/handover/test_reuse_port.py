"""`strangler serve --reuse-port`: a new process takes over on one host, and nobody notices."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.administered import OPERATOR
from tests.unit.strangler_gateway.server.test_serve import Site, more_than, until


class Client:
    """Calls on and on, opens a new connection where the gateway says so, and never calls twice for an answer."""

    def __init__(self, port: int) -> None:
        self.answered = 0
        self.failed: list[object] = []
        self._port, self._end = port, threading.Event()
        self._thread = threading.Thread(target=self._call)
        self._thread.start()

    def _call(self) -> None:
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
                while not self._end.is_set():
                    connection.request("GET", f"/item/{self.answered}")
                    answer = connection.getresponse()
                    body = answer.read()
                    assert answer.status == 200, body
                    self.answered += 1
        except (OSError, http.client.HTTPException, AssertionError) as exc:
            self.failed.append(repr(exc))

    def stop(self) -> None:
        self._end.set()
        self._thread.join(10)


class TakenOver(Site):
    """A gateway that hands over. `workers` by process: each start has the next number."""

    def __init__(self, folder: Path, workers: tuple[int, ...] = (1, 1)) -> None:
        self.numbers = iter(workers)
        super().__init__(folder)

    def start(self) -> GatewayProcess:
        environ = {"STRANGLER_OPERATOR_TOKEN": OPERATOR, "STRANGLER_WORKERS": str(next(self.numbers))}
        return GatewayProcess(self.routes, self.folder / "state", environ, "--reuse-port")

    def replace(self) -> GatewayProcess:
        """Starts the next process; gives the one before."""
        before, self.gateway = self.gateway, self.start()
        assert (self.gateway.port, self.gateway.admin_port) == (before.port, before.admin_port)
        return before

    def failing_start(self, *options: str) -> str:
        command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", str(self.routes), "--reuse-port"]
        command += ["--port", "0", "--admin-port", "0", "--state-dir", str(self.folder / "state"), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 1, done.stderr
        return done.stderr


@contextlib.contextmanager
def taken_over(folder: Path, *workers: int) -> Iterator[TakenOver]:
    site = TakenOver(folder, workers)
    try:
        yield site
    finally:
        site.close()


@pytest.mark.parametrize("workers", [(1, 1, 1), (2, 2, 1)])
def test_restarts_under_load_lose_no_request_no_flip_and_no_count(tmp_path: Path, workers: tuple[int, ...]) -> None:
    with taken_over(tmp_path, *workers) as site:
        clients = [Client(site.gateway.port) for _ in range(6)]
        until(more_than(site.monolith, 50))
        site.ok("flip", "items", "--to", "shadow", "--why", "t")
        for to in ("canary", "extracted"):
            before = site.replace()
            site.ok(
                "flip", "items", "--to", to, *(("--share", "10") if to == "canary" else ()), "--why", "t", "--force"
            )
            monolith = site.monolith.seen
            until(more_than(site.items if to == "extracted" else site.monolith, 50))
            assert to == "canary" or site.monolith.seen <= monolith + len(clients)  # those under way
            assert before.ends(30) == 0
            assert before.complaints() == []
            before.stop()
        site.ok("rollback", "items")
        for client in clients:
            client.stop()
        assert [client.failed for client in clients] == [[]] * len(clients)
        shown = site.shown()
        assert (shown["state"], shown["held"]) == ("legacy", True)
        answered = sum(client.answered for client in clients)
        assert shown["requests"]["legacy"] + shown["requests"]["extracted"] == answered
        assert site.gateway.complaints() == []


def test_a_process_that_cannot_start_leaves_the_one_that_runs_as_it_is(tmp_path: Path) -> None:
    with taken_over(tmp_path, 1, 1) as site:
        client = Client(site.gateway.port)
        site.ok("flip", "items", "--to", "shadow", "--why", "t")
        good = site.routes.read_text()
        assert "keep the port" in site.failing_start("--port", "1")
        site.routes.write_text("version: 2\n")
        assert "is not served" in site.failing_start()
        site.routes.write_text(good)
        site.ok("rollback", "items")
        client.stop()
        assert client.failed == []
        assert site.shown()["held"]


def test_a_process_that_is_killed_while_it_takes_over_is_followed_by_the_one_that_ran(tmp_path: Path) -> None:
    with taken_over(tmp_path, 1, 1) as site:
        client = Client(site.gateway.port)
        site.ok("flip", "items", "--to", "shadow", "--why", "t")
        command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", str(site.routes), "--reuse-port"]
        command += ["--port", "0", "--admin-port", "0", "--state-dir", str(site.folder / "state")]
        environ = os.environ | {"STRANGLER_TLS_CERT": str(tmp_path / "no.pem")}  # found out when it begins to serve
        died = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environ)
        assert died.returncode != 0
        site.gateway.logged("this one goes on")
        before = site.shown()["requests"]["legacy"]
        until(lambda: site.shown()["requests"]["legacy"] > before)
        site.ok("rollback", "items")
        client.stop()
        assert client.failed == []
        assert site.shown()["requests"]["legacy"] == client.answered
        site.gateway.process.send_signal(signal.SIGTERM)
        assert site.gateway.ends(20) == 0
        kept = json.loads((site.folder / "state" / "counters.json").read_text())
        assert kept["routes"]["item-read"]["legacy"] == client.answered
        site.gateway = site.start()
        assert site.shown()["held"]
