"""The commands, against an admin API on a real port: what they print, and how they end."""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from chassis.service.readiness import UnservedRoute
from strangler_gateway.cli.app import COMMANDS, app
from strangler_gateway.cli.client import AdminClient
from strangler_gateway.cli.moves import guarded
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.shadow.examples import Example
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.telemetry.instances import InstanceStatus
from tests.support.gateway.administered import OPERATOR, READER, AdminServer
from tests.support.gateway.aggregating import AGGREGATE
from tests.support.gateway.migrating import ROUTES
from tests.support.gateway.publishing import PUBLISHING

pytestmark = pytest.mark.walk

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3
WATCHING = {"guard": {"state": "watching", "alarm": None, "until": "1"}, "gate": {"routes": {}, "verdict": None}}
OVER = {**WATCHING, "guard": {"state": "over", "alarm": None, "until": "1"}}
NO_GATEWAY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name in [name for name in os.environ if name.startswith("STRANGLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN", OPERATOR)
    monkeypatch.setenv("COLUMNS", "200")
    if "server" in request.fixturenames:
        monkeypatch.setenv("STRANGLER_ADMIN_URL", request.getfixturevalue("server").url)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def ok(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == DONE, result.output
    return result.stdout


def said(*words: str, code: int = DONE) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def flip(*words: str) -> str:
    return ok("flip", *words, "--why", "ready")


def process(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "strangler_gateway.cli.app", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=os.environ | environ)


def test_a_flip_prints_before_after_digest_and_the_commands_that_undo_it(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "would move legacy → shadow" in flip("items", "--to", "shadow", "--dry-run")
    assert server.world.served == []
    shown = flip("items", "--to", "shadow")
    assert "items: legacy → shadow" in shown
    assert server.migration.served.digest in shown
    [undo] = re.findall(r"undo: strangler (.*)", shown)
    assert "shadow → legacy" in ok(*shlex.split(undo))
    for step in (("shadow",), ("canary", "--share", "12.5"), ("extracted",)):
        flip("items", "--to", *step)
        server.world.compared()
        server.world.served_both()
    for command in re.findall(r"^    strangler (.*)", ok("flip", "items", "--to", "shadow"), re.MULTILINE):
        server.world.compared()
        server.world.served_both()
        ok(*shlex.split(command))
    assert server.migration.served.movables["items"].state == "extracted"
    monkeypatch.setenv("STRANGLER_ADMIN_URL", NO_GATEWAY)
    assert f"--to legacy --why undo --admin {server.url}\n" in flip("search", "--to", "shadow", "--admin", server.url)


def test_a_refused_flip_tells_numbers_an_example_and_how_to_override(server: AdminServer) -> None:
    assert "no difference was seen" in ok("differences", "item-read")
    shown = Example(1_700_000_000.0, "GET", "/item/{id}", [Difference("$.price", "number", "string")], 12)
    flip("items", "--to", "shadow")
    server.world.compared(different=3)
    server.world.examples = {"item-read": [asdict(shown)]}
    result = run("flip", "items", "--to", "canary", "--share", "1", "--why", "ready")
    assert result.exit_code == REFUSED
    for part in ("items stays in shadow", "canary 1 %", "3 of 10", "$.price", "--force"):
        assert part in result.stdout
    assert ok("differences", "item-read").splitlines() == [
        "GET /item/{id}: 12 times, last 2023-11-14 22:13:20Z",
        "  $.price  legacy number, extracted string",
    ]
    forced = flip("items", "--to", "canary", "--share", "1", "--force")
    assert "overridden: items: 3 of 10 answers differ (item-read 3)" in forced


def test_gate_tells_the_verdict_and_what_is_missing(server: AdminServer) -> None:
    assert "items: legacy since " in ok("gate", "item-read")
    assert "no gate is asked" in ok("gate", "items")
    flip("items", "--to", "shadow")
    server.world.compared(different=0)
    assert ok("gate", "items").rstrip().endswith(": PASS")
    flip("items", "--to", "canary", "--share", "1")
    server.world.served_both(of=3)
    first, missing = ok("gate", "items").splitlines()
    assert (first.endswith(": WAIT"), "7 requests to the new side are missing" in missing) == (True, True)
    server.world.served_both(failed=40)
    answer = json.loads(ok("gate", "items", "--json"))
    assert (answer["unit"], answer["state"], answer["share"], answer["gate"]["verdict"]) == (
        "items",
        "canary",
        1.0,
        "worse",
    )
    assert answer["gate"]["counted"] == {"extracted": {"failed": 40, "of": 43}, "legacy": {"failed": 0, "of": 43}}
    assert [refusal["code"] for refusal in answer["refusals"]] == ["worse"]


def test_force_is_not_offered_where_it_does_not_help(server: AdminServer) -> None:
    result = run("flip", "items", "--to", "extracted", "--why", "ready", "--force")
    assert (result.exit_code, "--force" in result.stdout) == (REFUSED, False)
    assert "the next state is shadow" in result.stdout
    result = run("flip", "items", "--to", "shadow")
    assert (result.exit_code, "--why" in result.stdout) == (REFUSED, True)


def test_a_rollback_needs_no_word_and_release_lets_go(server: AdminServer) -> None:
    flip("items", "--to", "shadow")
    shown = ok("rollback", "items")
    assert "items: shadow → legacy (on hold until `strangler release items`)" in shown
    assert "    strangler release items\n    strangler flip items --to shadow --why undo\n" in shown
    assert "is on hold" in run("flip", "items", "--to", "shadow", "--why", "x").stdout
    assert "items: is no longer on hold; its state is legacy" in ok("release", "items")
    flip("items", "--to", "shadow")
    assert re.findall("^[a-z]+(?=: )", ok("rollback", "--all"), re.MULTILINE) == ["items"]
    assert "everything is in legacy" in ok("rollback", "--all")
    assert "items: is no longer on hold" in ok("release", "--all")
    assert "nothing is on hold" in ok("release", "--all")
    server.world.disk.away = True
    ok("rollback", "orders")
    assert run("release", "--all").exit_code == REFUSED


def test_limits_are_shown_with_what_they_refused_and_why_they_are_not_shared(server: AdminServer) -> None:
    assert "limited" not in ok("routes")
    server.world.path.write_text(ROUTES.replace('"/order"}', '"/order"}\n    limit: {rate: 9/day}'))
    ok("reload")
    server.world.stats.route("order-write").limited = 41
    server.limits = LimiterStatus("redis.example:6379", "it does not answer in time", 0)
    shown = ok("routes")
    rows = {line.split()[0]: re.split(r"\s{2,}", line.strip()) for line in shown.splitlines() if line.strip()}
    assert (rows["route"][-2:], rows["search"][-2:]) == (["limit", "limited"], ["-", "-"])
    assert rows["order-write"][-2:] == ["9/day by user", "41"]
    assert "not shared: Redis at redis.example:6379 cannot count: it does not answer in time" in shown
    assert "limited to 9/day by user" in ok("explain", "POST", "/order")
    assert "limited" not in ok("explain", "GET", "/search")


def test_a_password_on_the_command_line_is_refused_and_not_repeated() -> None:
    refused = process("serve", "--redis-url", "redis://:s3cret@127.0.0.1/0")
    assert (refused.returncode, "STRANGLER_REDIS_URL_FILE" in refused.stderr) == (USAGE, True)
    wrong = process("serve", STRANGLER_REDIS_URL="http://:s3cret@127.0.0.1/0")
    assert (wrong.returncode, "STRANGLER_REDIS_URL: the URL of Redis must be" in wrong.stderr) == (1, True)
    assert "s3cret" not in refused.stderr + refused.stdout + wrong.stderr + wrong.stdout


def test_routes_lists_what_goes_where(server: AdminServer) -> None:
    flip("items", "--to", "shadow")
    ok("rollback", "items")
    counts = server.world.stats.route("item-read")
    counts.legacy, counts.errors_legacy, counts.shadow_compared, counts.shadow_different = 1234, 56, 78, 9
    server.world.stats.undeclared["GET /a/{}/b"] = 17
    shown = ok("routes")
    [row] = [line for line in shown.splitlines() if line.startswith("item-read")]
    assert re.split(r"\s{2,}", row.strip())[:10] == [
        "item-read", "GET /item/{id}", "items", "legacy (held)", "1234", "0", "56", "0", "78", "9"
    ]  # fmt: skip
    assert row.rstrip().endswith("items")
    [row] = [line for line in shown.splitlines() if line.startswith("everything-else")]
    assert re.split(r"\s{2,}", row.strip())[3:10] == ["legacy", "0", "-", "0", "0", "-", "-"]
    assert row.rstrip().endswith("no new end")
    assert "17  GET /a/{}/b" in shown
    assert "counted since 1970-01-12 13:46:40Z" in shown


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        ("items search", ["item-read", "search"]),
        ("item-read", ["item-read"]),
        ("--state shadow --state canary", ["item-read", "order-write"]),
        ("--moved", ["item-read", "order-write"]),
        ("--errors", ["order-write", "search"]),
        ("--moved --errors", ["order-write"]),
        ("search --state canary", []),
    ],
)
def test_routes_can_be_filtered_in_every_form(server: AdminServer, words: str, listed: list[str]) -> None:
    flip("items", "--to", "shadow")
    flip("orders", "--to", "canary", "--share", "1", "--force")
    server.world.stats.route("order-write").failovers = 1
    server.world.stats.route("search").errors_legacy = 1
    server.world.stats.undeclared["GET /a"] = 1
    assert [route["id"] for route in said("routes", *words.split())["routes"]] == listed
    shown = ok("routes", *words.split())
    assert [name for name in ("item-read", "order-write", "search") if f"\n{name}" in shown] == listed
    assert ("no route passes" in shown, "undeclared" in shown) == (not listed, False)


def test_nothing_from_outside_steers_the_terminal(server: AdminServer) -> None:
    server.world.stats.undeclared["GET /\x1b[2J[red]/\r"] = 1
    ok("flip", "items", "--to", "shadow", "--why", "\x1b]0;title\x07[bold]")
    shown = ok("routes") + ok("log")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]" in shown
    assert "[bold]" in shown


def test_services_tells_what_is_ready_and_what_is_not_served(server: AdminServer) -> None:
    server.world.unserved = (UnservedRoute("POST", "/order", "no \x1bbroker"), UnservedRoute("GET", "/x", ""))
    server.world.down.add("monolith")
    lines = ok("services").splitlines()
    assert [re.split(r"\s{2,}", line.strip()) for line in lines[1:3]] == [
        ["monolith", "http://127.0.0.1:3000", "-", "no", "the legacy side"],
        ["items", "http://127.0.0.1:8102", "-", "yes, except", "items, orders, search"],
    ]
    assert lines[3:] == [
        "monolith accepts no connection",
        "items does not serve POST /order (order-write, orders): no \\x1bbroker",
    ]
    [_, items] = said("services")["services"]
    assert (items["ready"], items["unserved"][0]["unit"], items["legacy_of"]) == (True, "orders", 0)


def test_services_and_explain_tell_what_a_breaker_saw_and_how_many_requests_there_are(server: AdminServer) -> None:
    seen = "57 of 103 calls in 10 s failed; no call for 5 s, then 3 calls at once as probes"
    server.bulkheads = [
        BulkheadStatus("items", "open", seen, 1, 103, 57, 0, 3, 200, 2, 1000, 0.5, 1, 2, 4, retries=1, may_retry=30),
        BulkheadStatus("monolith", under_way=1, places=1000, may_wait=10_000, may_retry=10),
    ]
    lines = ok("services").splitlines()
    assert [re.split(r"\s{2,}", line.strip()) for line in lines[5:7]] == [
        ["monolith", "off", "0", "1 of 1000", "0 of 10000", "0", "0 of 10"],
        ["items", "open", "1", "3 of 200", "2 of 1000", "7", "1 of 30"],
    ]
    assert lines[7] == f"the breaker of items is open: {seen}"
    assert said("services")["services"][1]["bulkhead"]["refused"] == {"full": 1, "late": 2, "breaker": 4}
    ok("flip", "items", "--to", "shadow", "--why", "w", "--force")
    ok("flip", "items", "--to", "canary", "--share", "100", "--why", "w", "--force")
    lines = ok("explain", "GET", "/item/1", "--user", "u").splitlines()
    assert f"the breaker of items is open: {seen}" in lines
    assert "items has 3 of 200 requests under way, 2 of 1000 wait; its breaker is open" in lines
    assert "meanwhile safe requests go to the legacy side, and all others get 503" in lines
    assert "monolith has 1 of 1000 requests under way, 0 of 10000 wait; its breaker is off" in ok(
        "explain", "GET", "/elsewhere"
    )


def test_explain_tells_which_instances_may_be_asked(server: AdminServer) -> None:
    server.instances = [
        InstanceStatus("monolith", "a:1"),
        InstanceStatus("monolith", "b:1", "failing"),
        InstanceStatus("items", "c:1"),
    ]
    lines = ok("explain", "GET", "/elsewhere").splitlines()
    assert lines[3:5] == ["instances that may be asked: a:1", "left out: b:1 (failing)"]
    shown = said("explain", "GET", "/elsewhere")["instances"]
    assert [(one["instance"], one["left_out"]) for one in shown] == [("a:1", False), ("b:1", True)]


def test_log_tells_who_moved_what_and_why(server: AdminServer) -> None:
    server.world.down.add("items")
    ok("flip", "items", "--to", "shadow", "--why", "it is time", "--force")
    ok("rollback", "orders")
    lines = ok("log", "--unit", "items").splitlines()
    assert len(lines) == 3
    assert "legacy → shadow" in lines[-1]
    assert "it is time; forced: items accepts no connection" in lines[-1]
    assert "(127.0.0.1)" in lines[-1]
    assert len(said("log", "--limit", "2")["entries"]) == 2


def test_diff_tells_what_the_file_asks_in_vain(server: AdminServer) -> None:
    assert "the file matches the served table" in ok("diff", "--exit-code")
    server.world.edit("items: {state: legacy", "items: {state: extracted")
    assert "the file has changed since it was read" in ok("diff")
    shown = ok("reload")
    assert "items stays in legacy" in shown
    assert "file extracted, served legacy: items is in legacy and cannot jump" in ok("diff")
    assert [run("diff", "--exit-code", *more).exit_code for more in ((), ("--json",))] == [REFUSED, REFUSED]


def test_reload_of_a_faulty_file_tells_every_fault_and_is_refused(server: AdminServer) -> None:
    server.world.edit("version: 1", "version: 2")
    server.world.edit("legacy: monolith", "legacy: nobody")
    result = run("reload")
    assert result.exit_code == REFUSED
    assert len(re.findall(r"^line \d+: ", result.stdout, re.MULTILINE)) == 2
    assert "the file has a fault" in ok("routes")
    assert "the file cannot be used" in ok("diff")


def test_explain_asks_the_gateway_or_a_file(server: AdminServer, tmp_path: Path) -> None:
    shown = ok("explain", "GET", "/item/7", "--user", "alice")
    assert "GET /item/7 goes to legacy (monolith): state_legacy" in shown
    assert "route item-read (/item/{id}) of group items, legacy" in shown
    file = tmp_path / "other.yaml"
    file.write_text(ROUTES.replace("items: {state: legacy", "items: {state: canary, share: 100"))
    shown = ok("explain", "get", "/item/7", "--user", "alice", "--routes", str(file), "--admin", NO_GATEWAY)
    assert "goes to extracted (items): share_in" in shown
    assert re.search(r"user alice is in bucket \d+ of 10000", shown)
    file.write_text(PUBLISHING.replace("g: {state: legacy}", "g: {state: extracted}"))
    shown = ok("explain", "post", "/a", "--routes", str(file), "--admin", NO_GATEWAY)
    assert "POST /a goes to extracted (message a.b.v1 to e): state_extracted" in shown
    file.write_text(AGGREGATE.replace("${USERS}", "shadow"))
    shown = ok("explain", "get", "/o", "--routes", str(file), "--admin", NO_GATEWAY)
    assert "GET /o goes to extracted (calls u): state_extracted" in shown
    assert "call u: GET /user/1 goes to legacy (m): state_shadow (route user)" in shown


def test_watch_tells_what_was_seen_when_time_is_up(server: AdminServer) -> None:
    shown = flip("items", "--to", "shadow", "--watch", "0.1s")
    assert "seen since the flip: legacy 0, extracted 0, errors legacy 0, errors 0" in shown
    watched = said("flip", "items", "--to", "shadow", "--why", "x", "--watch", "0.1s")["watched"]
    assert watched == dict.fromkeys(("legacy", "extracted", "errors_legacy", "errors", "compared", "differences"), 0)


def test_watch_stops_at_the_first_error_and_ends_as_refused(server: AdminServer) -> None:
    counts = server.world.stats.route("order-write")
    counts.errors_extracted = 5

    def fail() -> None:
        while server.migration.served.movables["orders"].state != "canary":
            time.sleep(0.005)
        counts.extracted += 3
        counts.errors_extracted += 2

    traffic = threading.Thread(target=fail)
    traffic.start()
    result = run("flip", "orders", "--to", "canary", "--share", "1", "--why", "x", "--force", "--watch", "60s")
    traffic.join()
    assert result.exit_code == REFUSED
    assert "warning: 2 errors since the flip; `strangler rollback orders` goes back at once" in result.stdout


GUARDED = ("flip", "orders", "--to", "canary", "--share", "50", "--why", "x", "--force", "--rollback-on-errors")


def test_a_watch_that_rolls_back_ends_as_refused_and_tells_what_was_seen(server: AdminServer) -> None:
    def fail() -> None:
        while server.migration.guards.of("orders") is None:
            time.sleep(0.005)
        counts = server.world.stats.route("order-write")
        counts.extracted, counts.errors_extracted = 8, 8

    traffic = threading.Thread(target=fail)
    traffic.start()
    result = run(*GUARDED, "--watch", "60s")
    traffic.join()
    assert result.exit_code == REFUSED
    assert re.search(r"^\d of 60 s: new side \d of \d failed, legacy 0 of 0 failed; the gate says", result.stdout, re.M)
    assert "orders: rolled back automatically, and on hold: 8 of 8 requests to the new side failed" in result.stdout
    assert "when it is repaired: strangler release orders" in result.stdout
    lines = ok("log", "--unit", "orders").splitlines()
    assert "rollback (automatic)" in lines[-1]
    assert said("log", "--limit", "1")["entries"][0]["automatic"] is True


def test_a_watch_without_an_alarm_is_done_and_a_move_by_somebody_else_is_not(server: AdminServer) -> None:
    done = said(*GUARDED, "--watch", "0.1s")
    assert (done["guard"]["state"], done["watched"]["state"], done["done"]) == ("over", "over", True)
    ok("rollback", "orders")
    ok("release", "orders")

    def meddle() -> None:
        while (guard := server.migration.guards.of("orders")) is None or guard.state != "watching":
            time.sleep(0.005)
        ok("rollback", "orders")

    other = threading.Thread(target=meddle)
    other.start()
    result = run(*GUARDED, "--watch", "60s")
    other.join()
    assert (result.exit_code, "somebody else has moved it" in result.stdout) == (REFUSED, True)


@pytest.mark.parametrize(
    ("answers", "state", "code"),
    [
        ([None] * 20, "lost", UNREACHABLE),
        ([WATCHING, None, WATCHING, OVER], "over", DONE),
        ([WATCHING, None, {**WATCHING, "guard": None}], "gone", REFUSED),
        ([WATCHING, KeyboardInterrupt()], "interrupted", REFUSED),
        ([WATCHING, {**WATCHING, "guard": {"state": "watching", "alarm": None, "until": "2"}}], "replaced", REFUSED),
    ],
)
def test_what_a_watcher_tells_when_it_loses_sight_of_the_guard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: list[Any], state: str, code: int
) -> None:
    told = iter(answers)

    def answer(*_: object, **__: object) -> Any:
        if isinstance(one := next(told), BaseException):
            raise one
        return one

    clock = itertools.count()
    monkeypatch.setattr("strangler_gateway.cli.moves.guarded.time.sleep", lambda _: None)
    monkeypatch.setattr("strangler_gateway.cli.moves.guarded.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(AdminClient, "try_get", answer)
    with pytest.raises(typer.Exit) as end:
        guarded.follow(AdminClient(NO_GATEWAY), {"unit": "items"}, 5.0, NO_GATEWAY)
    assert end.value.exit_code == code
    shown = capsys.readouterr().out
    assert guarded._ENDED[state][1] in shown
    assert f"strangler rollback items --admin {NO_GATEWAY}" in shown


@pytest.mark.parametrize(
    "words",
    [
        "flip items",
        "flip items --to shadow --rollback-on-errors",
        "flip items --to legacy --watch 1s --rollback-on-errors",
        "flip items --to gone",
        "flip items --to canary",
        "flip items --to shadow --share 3",
        "flip items --to canary --share 0.001",
        "flip items --to shadow --watch soon",
        "flip item-read --to shadow",
        "flip nobody --to shadow",
        "rollback",
        "rollback items --all",
        "rollback nobody",
        "release nobody",
        "release",
        "release items --all",
        "routes nobody",
        "routes --state gone",
        "differences nobody",
        "log --limit 0",
        "explain GET item",
        "explain GET / --routes nowhere.yaml",
        "check nowhere.yaml",
        "serve --port 99999",
        "nothing",
    ],
)
def test_usage_ends_with_2(server: AdminServer, words: str) -> None:
    assert run(*words.split()).exit_code == USAGE
    assert server.world.served == []


ASKING = [
    "routes",
    "log",
    "diff",
    "reload",
    "inventory",
    "release items",
    "release --all",
    "routes --moved",
    "services",
    "explain GET /",
    "rollback items",
    "differences search",
    "flip items --to shadow --why x",
]


@pytest.mark.parametrize("command", ASKING)
@pytest.mark.parametrize("url", [NO_GATEWAY, "http://nowhere.invalid", "no url"])
def test_no_gateway_ends_with_3_and_tells_how_to_name_one(command: str, url: str) -> None:
    result = run(*command.split(), "--admin", url)
    assert (result.exit_code, "STRANGLER_ADMIN_URL" in result.stderr) == (UNREACHABLE, True)
    assert said(*command.split(), "--admin", url, code=UNREACHABLE)["error"] == "unreachable"


@pytest.mark.parametrize("command", ASKING)
def test_every_command_speaks_json(server: AdminServer, command: str) -> None:
    assert isinstance(said(*command.split()), dict)


def test_a_credential_comes_from_a_file_too(
    server: AdminServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"{OPERATOR}\n")
    monkeypatch.delenv("STRANGLER_ADMIN_TOKEN")
    assert said("routes", code=REFUSED)["error"] == "denied"
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN_FILE", str(tmp_path / "token"))
    ok("routes")
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN_FILE", str(tmp_path / "nothing"))
    assert run("routes").exit_code == USAGE


def test_a_reader_is_refused_what_moves(server: AdminServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN", READER)
    ok("routes")
    result = run("rollback", "items")
    assert (result.exit_code, "operator" in result.stderr) == (REFUSED, True)


def test_the_script_is_a_process_with_these_codes_that_asks_no_proxy(server: AdminServer) -> None:
    proxies = dict.fromkeys(("HTTP_PROXY", "ALL_PROXY", "http_proxy"), NO_GATEWAY)
    assert process("flip", "items", "--to", "shadow", "--why", "x", **proxies).returncode == DONE
    refused = process("flip", "items", "--to", "extracted", "--why", "x")
    assert (refused.returncode, "cannot jump" in refused.stdout) == (REFUSED, True)
    assert process("flip", "items").returncode == USAGE
    lost = process("routes", STRANGLER_ADMIN_URL=NO_GATEWAY)
    assert (lost.returncode, lost.stdout, "no gateway answers" in lost.stderr) == (UNREACHABLE, "", True)


def test_a_reader_that_has_gone_and_a_full_disk_end_a_command_without_a_stack_trace(server: AdminServer) -> None:
    command, (reading, gone) = [sys.executable, "-m", "strangler_gateway.cli.app"], os.pipe()
    os.close(reading)
    for words in (["routes"], ["routes", "--json"], ["schema"], ["--help"]):
        left = subprocess.run([*command, *words], stdout=gone, stderr=subprocess.PIPE, timeout=240, check=False)
        assert (left.returncode, left.stderr) == (141, b"")
    os.close(gone)
    with open("/dev/full", "w") as full:
        left = subprocess.run([*command, "routes"], stdout=full, stderr=subprocess.PIPE, timeout=240, check=False)
    assert (left.returncode, left.stderr) == (1, b"the output cannot be written: No space left on device\n")
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command, "routes"]
    left = subprocess.run(closed, stderr=subprocess.PIPE, timeout=240, check=False)
    assert (left.returncode, left.stderr) == (DONE, b"")


def test_an_error_of_the_system_is_told_in_words(server: AdminServer) -> None:
    for words in ("check nowhere.yaml", "export nginx nowhere.yaml", "init --upstream http://a --openapi nowhere.yaml"):
        said = run(*words.split())
        assert (said.exit_code, said.stderr.endswith(": No such file or directory\n")) == (USAGE, True)
        assert "Errno" not in said.stderr
    assert "(Connection refused)" in run("routes", "--admin", "http://127.0.0.1:1").stderr


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"strangler \d+\.\d+\.\d+\S*\n", ok("--version"))


def test_names_are_completed_from_the_gateway(tmp_path: Path) -> None:
    with AdminServer(tmp_path, operator_token=None, reader_token=None) as server:
        words = {"_STRANGLER_COMPLETE": "complete_bash", "COMP_WORDS": "strangler rollback it", "COMP_CWORD": "2"}
        asked = process(**words, STRANGLER_ADMIN_URL=server.url)
    assert asked.stdout.split() == ["items"]


def test_check_reports_every_fault_with_its_line_and_schema_is_a_json_schema(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    assert "4 routes, 4 movables" in ok("check", str(file))
    assert said("check", str(file))["faults"] == []
    file.write_text(ROUTES.replace("version: 1", "version: 2").replace("legacy: monolith", "legacy: nobody", 1))
    result = run("check", str(file))
    assert (result.exit_code, "line 1: version" in result.stdout) == (REFUSED, True)
    assert len(said("check", str(file), code=REFUSED)["faults"]) == 2
    assert json.loads(ok("schema"))["$schema"].startswith("https://json-schema.org/")
    assert said("schema")["type"] == "object"


PLUGIN = """
import pathlib
def provider():
    pathlib.Path(__file__).with_name("called").touch()
provided = 1
"""


@pytest.mark.parametrize(
    ("plugin", "said_of_it"),
    [
        ("plugged:provider", None),
        ("unplugged:provider", "ModuleNotFoundError"),
        ("plugged:nothing", "AttributeError"),
        ("plugged:provided", "provided is a int, not a function"),
    ],
)
def test_check_imports_the_identity_plugin_and_does_not_call_it(
    plugin: str, said_of_it: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugged.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES.replace("version: 1", f"version: 1\nidentity: {{plugin: '{plugin}'}}", 1))
    faults = said("check", "--routes", str(file), code=REFUSED if said_of_it else DONE)["faults"]
    assert [(fault["line"], fault["where"]) for fault in faults] == ([(2, "identity.plugin")] if said_of_it else [])
    assert all(str(said_of_it) in fault["message"] for fault in faults)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("command", ["check", "serve"])
def test_the_routes_file_is_an_argument_or_an_option_but_not_two_files(command: str) -> None:
    result = run(command, "a.yaml", "--routes", "b.yaml")
    assert (result.exit_code, "two routes files" in result.stderr) == (USAGE, True)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(command: str) -> None:
    shown = ok(*filter(None, [command, "--help"]))
    assert ok(*filter(None, [command, "-h"])) == shown
    assert "Usage: " in shown
    assert len(shown.splitlines()) > 5


def test_init_writes_a_file_that_passes_check_and_never_overwrites(tmp_path: Path) -> None:
    file, log = tmp_path / "routes.yaml", tmp_path / "access.log"
    log.write_text('127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /item/7 HTTP/1.1" 200 5 "-" "-"\n')
    words = ("init", "--upstream", "http://127.0.0.1:3000", "--access-log", str(log), "--output", str(file))
    assert f"strangler check {file}" in ok(*words)
    assert said("check", str(file))["faults"] == []
    written = file.read_text()
    result = run(*words)
    assert (result.exit_code, "not overwritten" in result.stderr) == (REFUSED, True)
    assert file.read_text() == written
    assert "/item/{" in ok("explain", "GET", "/item/9", "--routes", str(file))


@pytest.mark.parametrize(
    "words",
    [("--upstream", "nowhere"), ("--upstream", "http://m", "--openapi", "none.json"), ("--access-log", "none.log")],
)
def test_init_without_a_usable_source_ends_with_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run("init", *words, "--output", str(tmp_path / "routes.yaml")).exit_code == USAGE
    assert not (tmp_path / "routes.yaml").exists()
