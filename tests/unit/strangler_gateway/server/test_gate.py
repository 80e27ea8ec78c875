"""The gate with real processes: gateway, monolith and service, as an operator meets it."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from strangler_gateway.cli.app import app
from strangler_gateway.table.bucket import bucket
from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.administered import OPERATOR

UPSTREAM = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(int(sys.argv[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
"""
ROUTES = """\
version: 1
services:
  monolith: {{url: "http://127.0.0.1:{monolith}"}}
  shop: {{url: "http://127.0.0.1:{shop}"}}
groups:
  shop: {{state: canary, share: 20, anonymous: "header:X-Customer", {gate}}}
routes:
  - {{id: item, group: shop, match: {{path: "/item"}}, legacy: monolith, extracted: shop}}
  - {{id: report, group: shop, match: {{path: "/report"}}, legacy: monolith, extracted: shop}}
  - {{id: everything-else, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""
CUSTOMERS = [f"customer-{n}" for n in range(100)]
NEW = [one for one in CUSTOMERS if bucket("shop", one.encode()) < 2_000]
OLD = [one for one in CUSTOMERS if one not in NEW]


@contextlib.contextmanager
def upstream(status: int) -> Iterator[int]:
    """A process that answers every GET with the status; yields its port."""
    with subprocess.Popen([sys.executable, "-c", UPSTREAM, str(status)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass
class Site:
    """A gateway in canary 20 % between both."""

    folder: Path
    gateway: GatewayProcess

    def ask(self, path: str, *customers: str) -> list[int]:
        statuses = []
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
        with contextlib.closing(connection):
            for customer in customers:
                connection.request("GET", path, headers={"X-Customer": customer})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        return statuses

    def strangler(self, *words: str) -> tuple[int, str]:
        environ = {
            "STRANGLER_ADMIN_URL": f"http://127.0.0.1:{self.gateway.admin_port}",
            "STRANGLER_ADMIN_TOKEN": OPERATOR,
        }
        done = CliRunner().invoke(app, words, env=environ)
        return done.exit_code, done.output

    def refused(self, *to: str) -> dict[str, Any]:
        """By code, the refusals of a flip; as text their numbers are told, too."""
        code, told = self.strangler("flip", "shop", *to, "--why", "it is time")
        assert (code, "stays in canary 20 %" in told) == (1, True), told
        code, answer = self.strangler("flip", "shop", *to, "--why", "it is time", "--json")
        refusals = {refusal["code"]: refusal for refusal in json.loads(answer)["refusals"]}
        assert all(refusal["message"].partition(" for ")[0] in told for refusal in refusals.values())
        return refusals

    def edit(self, old: str, new: str) -> None:
        file = self.folder / "routes.yaml"
        file.write_text(file.read_text().replace(old, new))

    def restart(self) -> None:
        self.gateway.stop()
        self.gateway = serve(self.folder)


def serve(folder: Path) -> GatewayProcess:
    return GatewayProcess(folder / "routes.yaml", folder / "state", {"STRANGLER_OPERATOR_TOKEN": OPERATOR})


@contextlib.contextmanager
def site(folder: Path, *, service: int, gate: str = "") -> Iterator[Site]:
    with upstream(200) as monolith, upstream(service) as shop:
        (folder / "routes.yaml").write_text(ROUTES.format(monolith=monolith, shop=shop, gate=gate))
        running = Site(folder, serve(folder))
        try:
            yield running
        finally:
            running.gateway.stop()


STEPS = (("--to", "canary", "--share", "100"), ("--to", "extracted"))


def test_a_service_that_answers_500_goes_no_step_forward(tmp_path: Path) -> None:
    with site(tmp_path, service=500) as running:
        assert running.ask("/item", *NEW[:8], *OLD[:32]) == [500] * 8 + [200] * 32
        for to in STEPS:
            worse = running.refused(*to)["worse"]
            for part in ("8 of 8 requests to the new side failed", "0 of 32 to legacy", "item 8 of 8"):
                assert part in worse["message"]
            assert (worse["forcible"], worse["example"]["route"], worse["example"]["status"]) == (True, "item", 500)
        code, told = running.strangler("evidence", "shop")
        assert (code, "shop: canary 20 %" in told, ": WORSE" in told, "extracted 8 of 8" in told) == (
            0,
            True,
            True,
            True,
        )
        known = json.loads(running.strangler("evidence", "shop", "--json")[1])
        assert (known["verdict"], known["share"], known["rules"][0]["verdict"]) == ("WORSE", 20.0, "WORSE")
        [unexercised] = known["unexercised"]
        assert (unexercised["route"], unexercised["status"]) == ("item", "2xx")
        running.edit("share: 20", "share: 100")
        code, told = running.strangler("reload")
        assert (code, "8 of 8 requests to the new side failed" in told) == (0, True), told
        running.restart()
        assert "8 of 8" in running.refused(*STEPS[0])["worse"]["message"]
        code, told = running.strangler("flip", "shop", *STEPS[0], "--why", "I know", "--force")
        assert (code, "canary 20 % → canary 100 %" in told) == (0, True), told
        _, log = running.strangler("log", "--json")
        forced = json.loads(log)["entries"][-1]
        assert (forced["forced"], "8 of 8" in forced["reasons"][0]) == (["worse"], True)
        assert forced["evidence"]["rules"][0]["numbers"]["extracted"] == {"failed": 8, "of": 8}
        assert forced["evidence"].keys() == known.keys()


def test_a_service_that_was_never_asked_goes_no_step_forward(tmp_path: Path) -> None:
    with site(tmp_path, service=200, gate="gate: {min_above_10: 10}") as running:
        running.ask("/item", *OLD[:20])
        for to in STEPS:
            refusals = running.refused(*to)
            assert "0 of 0 requests to the new side failed" in refusals["wait"]["message"]
            assert "10 requests to the new side are missing, about " in refusals["wait"]["message"]
            assert refusals["never_asked"]["message"].startswith("shop: legacy was asked for item (")
        running.ask("/report", OLD[0])
        running.ask("/item", *NEW[:10])
        for to in STEPS:
            refusals = running.refused(*to)
            assert list(refusals) == ["never_asked"]
            assert refusals["never_asked"]["message"].startswith("shop: legacy was asked for report (")
        running.ask("/report", NEW[0])
        assert running.strangler("flip", "shop", *STEPS[1], "--why", "it is time")[0] == 0


@pytest.mark.parametrize("failing", [0, 1])
def test_one_user_who_repeats_is_one_user(tmp_path: Path, failing: int) -> None:
    """A hundred requests of one user prove no more about the service than that user's first failure."""
    with site(tmp_path, service=500 if failing else 200, gate="gate: {min_above_10: 100}") as running:
        running.ask("/item", *[NEW[0]] * 100, *OLD)
        _, gate = running.strangler("flip", "shop", *STEPS[0], "--why", "x", "--dry-run", "--json")
        counted = json.loads(gate)["gate"]["counted"]["extracted"]
        assert counted == ({"failed": 1, "of": 1} if failing else {"failed": 0, "of": 100})
