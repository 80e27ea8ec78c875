"""`strangler top`: what it counts between two looks, and how it looks on a terminal and in a pipe."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from typer.testing import CliRunner

from strangler_gateway.cli.app import app
from strangler_gateway.cli.queries.overview import group_rows, summary, totals
from tests.support.gateway.administered import OPERATOR, AdminServer


def group(name: str, state: str = "legacy", **more: Any) -> dict[str, Any]:
    known = {"share": None, "held": None, "moves": True, "per_second": 0.0, "new_part": None}
    return {"name": name, "state": state, **known, "failed_legacy": None, "failed_new": None, **more}


def test_the_sums_are_the_gateways_own() -> None:
    held = {"who": "Ada", "why": "", "at": "2026-01-01T00:00:00Z"}
    seen = {
        "groups": [
            group("items", "canary", share=12.5, held=held, per_second=10.0, new_part=0.25, failed_legacy=0.1),
            group("users", "extracted", per_second=2.04, new_part=1.0, failed_new=0.0),
            group("rest", moves=False),
        ],
        "totals": {
            "groups": 2, "extracted": 1, "routes": 3, "routes_moved": 1, "held": 1, "per_second": 14.0,
            "new_part": 0.32142, "failed_part": None,
        },
        "undeclared": {"requests": 3},
    }  # fmt: skip
    plans: dict[str, Any] = {"users": {"waits": [], "next": None, "refused": None}}
    assert group_rows(seen, plans) == [
        ("items", "canary 12.5 %", "held", "10.0", "25 %", "10 %", "-", ""),
        ("users", "extracted", "", "2.0", "100 %", "-", "0 %", "done"),
    ]
    assert totals(seen) == {
        "groups": 2, "groups_moved": 1, "routes": 3, "routes_moved": 1, "held": 1, "requests_per_second": 14.0,
        "new_part": 0.3214, "failed_part": None, "undeclared": 3,
    }  # fmt: skip
    assert summary(seen) == (
        "1 of 2 groups and 1 of 3 routes have moved; 14.0 requests/s, 32.1 % on the new side, - failed; "
        "3 undeclared requests so far"
    )


@pytest.mark.walk
def test_in_a_pipe_it_looks_once_and_for_programs_it_is_json(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN", OPERATOR)
    for words in (["top"], ["top", "--once"]):
        shown = CliRunner().invoke(app, [*words, "--admin", server.url])
        assert shown.exit_code == 0, shown.output
        assert shown.stdout.startswith("0 of 3 groups and 0 of 3 routes have moved; ")
    found = json.loads(CliRunner().invoke(app, ["top", "--json", "--admin", server.url]).stdout)
    assert [group["group"] for group in found["groups"]] == ["items", "orders", "search"]
    assert CliRunner().invoke(app, ["top", "--every", "soon", "--admin", server.url]).exit_code == 2


@pytest.mark.walk
def test_on_a_terminal_it_follows_until_it_is_interrupted(server: AdminServer) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "strangler_gateway.cli.app", "top", "--every", "0.5s", "--admin", server.url]
    environ = os.environ | {"STRANGLER_ADMIN_TOKEN": OPERATOR, "TERM": "xterm", "COLUMNS": "150"}
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environ) as process:
        os.close(follower)
        try:
            _read(leader, process, rb"items")
            server.world.stats.route("item-read").legacy += 10_000_000
            _read(leader, process, rb"\d{5}\.\d requests/s")
            process.send_signal(signal.SIGINT)
            _read(leader, process, None)
            assert process.wait(10) == 0
        finally:
            process.kill()  # otherwise a failure above waits here for ever
    os.close(leader)


def _read(leader: int, process: subprocess.Popen[bytes], until: bytes | None) -> None:
    """Reads what the terminal shows until this pattern; None: until the process has ended."""
    data, end = b"", time.monotonic() + 60
    while until is None or not re.search(until, data):
        assert time.monotonic() < end, data[-1000:]
        if until is None and process.poll() is not None:
            break
        if select.select([leader], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):
                data += os.read(leader, 65536)
