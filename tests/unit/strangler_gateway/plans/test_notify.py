"""Notices reach a real HTTP server, signed, and a command, on its standard input; no move waits for either."""

import asyncio
import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from strangler_gateway.plans import notify
from strangler_gateway.plans.notices import Notice
from strangler_gateway.plans.notify import PlanNotifier
from strangler_gateway.table.rules.plan import NotifyRules, PlanRules, parse_steps
from tests.support.gateway.migrating import SHADOW

SECRET = "notify-secret-1"
NOTICE = Notice("advanced", "items", SHADOW, "step 1 of 2: shadow", 1_796_000_000.0)
STEPS = parse_steps(["shadow"])


@dataclass
class Hook(ThreadingHTTPServer):
    """A webhook: answers these statuses, one after the other, then 204."""

    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def rules(self) -> PlanRules:
        return PlanRules(STEPS, notify=NotifyRules(f"http://127.0.0.1:{self.server_port}/hook/secret-path"))

    async def has(self, number: int) -> None:
        async with asyncio.timeout(60):
            while len(self.got) < number:
                await asyncio.sleep(0.01)


class _Receiver(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.end_headers()
        self.server.got.append((dict(self.headers), body))

    def log_message(self, *_: object) -> None:
        """A test's output is its own."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server
        server.shutdown()


def notifier(secret: str | None = SECRET, timeout_s: float = 5.0) -> PlanNotifier:
    return PlanNotifier(secret, "gw1", lambda: 1_796_000_001.5, pauses_s=(0.01, 0.01), timeout_s=timeout_s)


async def test_a_webhook_gets_what_happened_and_can_check_who_says_so(hook: Hook) -> None:
    told = notifier()
    told.tell(hook.rules, NOTICE)
    await hook.has(1)
    fields, body = hook.got[0]
    said = json.loads(body)
    assert said.pop("id") == fields["Strangler-Delivery"]
    assert said == {
        "gateway": "gw1",
        "event": "advanced",
        "group": "items",
        "position": {"state": "shadow"},
        "says": "step 1 of 2: shadow",
        "at": "2026-11-30T00:53:20.000Z",
    }
    expected = hmac.new(SECRET.encode(), b"1796000001." + body, hashlib.sha256).hexdigest()
    assert fields["Strangler-Timestamp"] == "1796000001"
    assert fields["Strangler-Signature"] == f"sha256={expected}"
    await told.aclose()


@pytest.mark.parametrize(("statuses", "tries"), [([500, 429], 3), ([404], 1), ([503] * 9, 3)])
async def test_a_webhook_that_is_away_is_tried_again_for_a_while(hook: Hook, statuses: list[int], tries: int) -> None:
    hook.statuses[:] = statuses
    told = notifier()
    told.tell(hook.rules, NOTICE)
    await hook.has(tries)
    await told.aclose()
    assert len(hook.got) == tries
    assert len({fields["Strangler-Delivery"] for fields, _ in hook.got}) == 1


async def test_without_a_secret_nothing_is_signed(hook: Hook) -> None:
    told = notifier(secret=None)
    told.tell(hook.rules, NOTICE)
    await hook.has(1)
    await told.aclose()
    assert "Strangler-Signature" not in hook.got[0][0]


async def test_nobody_answers_and_nothing_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    told = notifier()
    rules = PlanRules(STEPS, notify=NotifyRules("http://127.0.0.1:9/hook/secret-path"))
    for _ in range(notify.MOST_WAITING + 1):
        told.tell(rules, NOTICE)
    assert "messages are waiting already" in caplog.text
    await told.aclose()
    assert "secret-path" not in caplog.text


async def test_a_command_gets_the_same_on_its_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANGLER_OPERATOR_TOKEN", "operator-secret-1")
    out = tmp_path / "out ; touch x"
    script = "import os, sys; open(sys.argv[1], 'w').write(sys.stdin.read() + ' '.join(os.environ))"
    told = notifier()
    told.tell(PlanRules(STEPS, notify=NotifyRules(None, (sys.executable, "-c", script, str(out)))), NOTICE)
    async with asyncio.timeout(60):
        while not (out.exists() and out.read_text()):
            await asyncio.sleep(0.01)
    await told.aclose()
    assert '"group": "items"' in out.read_text()
    assert "STRANGLER_OPERATOR_TOKEN" not in out.read_text()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (("/no/such/program",), "cannot be started"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "has ended with 3"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "has not ended within 0.5 s"),
    ],
)
async def test_a_command_that_fails_or_hangs_is_ended_and_logged(
    command: tuple[str, ...], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = PlanNotifier(SECRET, "gw1", lambda: 0.0, pauses_s=(), timeout_s=0.5)
    told.tell(PlanRules(STEPS, notify=NotifyRules(None, command)), NOTICE)
    async with asyncio.timeout(60):
        while fault not in caplog.text:
            await asyncio.sleep(0.01)
    await told.aclose()
