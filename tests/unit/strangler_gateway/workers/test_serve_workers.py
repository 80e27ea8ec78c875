"""`strangler serve --workers 2`: several processes that act as one gateway."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.administered import OPERATOR
from tests.unit.strangler_gateway.server.test_serve import Callers, Site, more_than, until


class WorkersSite(Site):
    """With two workers."""

    def start(self) -> GatewayProcess:
        environ = {"STRANGLER_OPERATOR_TOKEN": OPERATOR, "STRANGLER_WORKERS": "2"}
        return GatewayProcess(self.routes, self.folder / "state", environ)

    @property
    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.gateway.process.pid).children()

    def metric(self, name: str) -> float:
        page = httpx.get(f"http://127.0.0.1:{self.gateway.admin_port}/metrics").text
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name + "{"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorkersSite]:
    site = WorkersSite(tmp_path)
    yield site
    site.close()


def call(port: int, times: int = 1) -> None:
    for number in range(times):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", f"/item/{number}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()


def test_the_counters_of_all_workers_add_up_exactly_and_outlive_a_restart(site: WorkersSite) -> None:
    call(site.gateway.port, 100)
    assert site.metric("strangler_requests_total") == 100
    assert site.shown()["requests"] == {"legacy": 100, "extracted": 0}
    assert len(site.workers) == 2
    site.gateway.stop()
    site.gateway = site.start()
    call(site.gateway.port, 1)
    assert site.shown()["requests"] == {"legacy": 101, "extracted": 0}
    assert site.gateway.complaints() == []


def test_flips_and_rollbacks_are_served_by_all_workers_when_they_are_answered(site: WorkersSite) -> None:
    callers = [Callers(site.gateway.port) for _ in range(6)]
    until(more_than(site.monolith))
    site.ok("flip", "items", "--to", "shadow", "--why", "t")
    until(lambda: site.shown()["shadow"]["compared"] >= 5)
    site.ok("flip", "items", "--to", "canary", "--share", "10", "--why", "t")
    for _ in range(5):
        site.ok("flip", "items", "--to", "extracted", "--why", "t", "--force")
        monolith = site.monolith.seen
        until(more_than(site.items, 60))
        assert site.monolith.seen <= monolith + len(callers)  # those under way
        site.ok("rollback", "items")
        items = site.items.seen
        until(more_than(site.monolith, 60))
        assert site.items.seen <= items + len(callers)
        site.ok("release", "items")
        site.ok("flip", "items", "--to", "shadow", "--why", "t", "--force")
        site.ok("flip", "items", "--to", "canary", "--share", "10", "--why", "t", "--force")
    for one in callers:
        one.stop()
    assert [one.failed for one in callers] == [[]] * len(callers)
    shown = site.shown()["requests"]
    assert shown["legacy"] + shown["extracted"] == sum(one.answered for one in callers)
    assert site.gateway.complaints() == []


def test_a_worker_that_is_killed_is_replaced_and_serves_what_the_others_serve(site: WorkersSite) -> None:
    first, second = site.workers
    first.kill()
    until(lambda: len(site.workers) == 2 and second in site.workers and first not in site.workers)
    call(site.gateway.port, 20)
    site.ok("rollback", "items")
    before = site.shown()["requests"]["legacy"]
    call(site.gateway.port, 20)
    assert site.shown()["requests"]["legacy"] == before + 20
    site.gateway.logged("another one starts")


def test_a_worker_that_hangs_is_replaced_before_a_rollback_is_answered(site: WorkersSite) -> None:
    site.ok("flip", "items", "--to", "shadow", "--why", "t")
    first, _ = site.workers
    first.send_signal(signal.SIGSTOP)
    assert "was replaced" in site.ok("rollback", "items")
    until(lambda: len(site.workers) == 2 and first not in site.workers)
    call(site.gateway.port, 10)


def test_workers_end_when_their_parent_is_killed(site: WorkersSite) -> None:
    workers = site.workers
    site.gateway.process.kill()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert (len(gone), alive) == (2, [])


def test_a_term_finishes_what_is_under_way_in_all_workers(site: WorkersSite) -> None:
    callers = [Callers(site.gateway.port) for _ in range(4)]
    until(more_than(site.monolith))
    for one in callers:
        one.stop()
    workers = site.workers
    site.gateway.signal(signal.SIGTERM)
    assert site.gateway.ends(20) == 0
    assert not any(worker.is_running() for worker in workers)
    counted = json.loads((site.folder / "state" / "counters.json").read_text())
    assert counted["routes"]["item-read"]["legacy"] == sum(one.answered for one in callers)


def test_a_second_gateway_cannot_take_the_port_of_workers(site: WorkersSite, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", str(site.routes), "--workers", "2"]
    command += ["--port", str(site.gateway.port), "--admin-port", "0", "--state-dir", str(tmp_path / "other")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (second.returncode, "Traceback" in second.stderr) == (1, False)
    assert f"cannot listen on 127.0.0.1:{site.gateway.port}" in second.stderr


def test_a_rate_limit_holds_over_all_workers(site: WorkersSite) -> None:
    text = site.routes.read_text().replace("    shadow: {pure: true}", '    limit: {rate: "20/hour", by: address}')
    site.routes.write_text(text)
    site.ok("reload")
    connections = [http.client.HTTPConnection("127.0.0.1", site.gateway.port, timeout=10) for _ in range(40)]
    statuses = []
    for connection in connections:
        connection.request("GET", "/item/1")
        statuses.append(connection.getresponse().status)
        connection.close()
    assert (statuses.count(200), statuses.count(429)) == (20, 20)


def test_a_recording_has_the_exchanges_of_all_workers_without_their_secrets(site: WorkersSite) -> None:
    admin = f"http://127.0.0.1:{site.gateway.admin_port}"
    asked = {"for_s": 60, "max": 30}
    with httpx.stream("POST", f"{admin}/record", json=asked, headers={"Authorization": f"Bearer {OPERATOR}"}) as lines:
        answer = lines.iter_lines()
        assert "meta" in json.loads(next(answer))
        for _ in range(30):
            fields = {"Authorization": "Bearer a-secret-of-somebody"}
            httpx.get(f"http://127.0.0.1:{site.gateway.port}/item/7", headers=fields)
        rows = [json.loads(line) for line in answer]
    steps = [row for row in rows if "step" in row]
    assert len(steps) == 30
    assert "a-secret-of-somebody" not in json.dumps(rows)
    assert rows[-1]["end"]["taken"] == 30
