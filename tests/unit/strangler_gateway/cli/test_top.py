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
from strangler_gateway.cli.overview import Look, group_rows, problems, summary, totals
from tests.support.gateway.administered import OPERATOR, AdminServer


def route(unit: str, state: str = "legacy", *counts: int, **more: Any) -> dict[str, Any]:
    """Requests to legacy and the new side, failures of legacy and the new side."""
    legacy, new, failed_legacy, failed_new = counts or (0, 0, 0, 0)
    return {
        "unit": unit, "state": state, "share": None, "held": False, "new_end": True, "failovers": 0,
        "requests": {"legacy": legacy, "extracted": new},
        "errors": {"legacy": failed_legacy, "extracted": failed_new}, "unanswered": {"legacy": 0},
        **more,
    }  # fmt: skip


def seen(at: float, *routes: dict[str, Any], plans: dict[str, Any] | None = None, **more: Any) -> Look:
    whole = {"routes": routes, "undeclared": [{"requests": 3}], "faults": [], "state_dir": {"problem": None}, **more}
    return Look(at, whole, plans or {})


def test_rates_are_those_between_two_looks_by_group() -> None:
    before = seen(10.0, route("items", "canary", 100, 50, 1, 0), route("users"), route("rest", new_end=False))
    now = seen(
        14.0,
        route("items", "canary", 130, 60, 4, 2, share=12.5, held=True),
        route("users", "extracted", 0, 8, 0, 0),
        route("rest", "legacy", 8, 0, 0, 0, new_end=False),
        plans={"users": {"waits": [], "next": None, "refused": None}},
    )
    assert group_rows(before, now) == [
        ("items", "canary 12.5 %", "held", "10.0", "25 %", "10 %", "20 %", ""),
        ("users", "extracted", "", "2.0", "100 %", "-", "0 %", "done"),
    ]
    assert totals(before, now) == {
        "groups": 2, "groups_moved": 1, "routes": 2, "routes_moved": 1, "held": 1, "requests_per_second": 14.0,
        "new_part": 0.3214, "failed_part": 0.0893, "undeclared": 3,
    }  # fmt: skip
    assert summary(before, now) == (
        "1 of 2 groups and 1 of 2 routes have moved; 14.0 requests/s, 32.1 % on the new side, 8.93 % failed; "
        "3 undeclared requests so far"
    )


def test_counters_that_begin_anew_are_no_negative_rate_and_problems_are_told() -> None:
    before, now = seen(1.0, route("items", "shadow", 100, 0, 0, 0)), seen(2.0, route("items", "shadow", 5, 0, 0, 0))
    assert group_rows(before, now)[0][3:5] == ("0.0", "-")
    away = seen(2.0, faults=["line 3"], state_dir={"problem": "disk full"}, store_problem="no answer", silent=["gw2"])
    assert [one.split(":")[0] for one in problems(away)] == [
        "the routes file is refused",
        "flips are off, the state directory cannot be written",
        "the shared store does not answer",
        "gw2",
    ]


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
