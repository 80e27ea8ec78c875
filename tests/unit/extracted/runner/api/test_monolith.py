"""POST /run, GET /health, GET /metrics as the monolith's runner answers them (contract §7)."""

from pathlib import Path
from typing import Any

import pytest

from extracted.runner.domain import Strategy
from tests.unit.extracted.runner.served import Served, served

GONE = object()


async def test_a_run_gets_its_lines_and_is_answered_in_the_envelope(runner: Served) -> None:
    answer = await runner.run("echo")
    assert answer.status_code == 201
    assert answer.json() == {"metadata": {}, "data": {"stdout": "a\nb\n", "stderr": "", "exitCode": 0}}
    assert runner.sandbox.boxes == 0


@pytest.mark.parametrize(
    ("strategy", "source", "code", "stderr"),
    [
        (Strategy.FORKEXEC, "hang", -128, ""),
        (Strategy.KUBERNETES, "hang", -128, "Execution timed out : 0.02 seconds"),
        (Strategy.DOCKER, "hang", GONE, ""),
        (Strategy.FORKEXEC, "crash", None, "\ufffd"),
        (Strategy.DOCKER, "crash", 139, "\ufffd"),
        (Strategy.FORKEXEC, "swell", 137, ""),
    ],
)
async def test_the_end_of_a_run_is_told_as_the_strategy_does(
    tmp_path: Path, strategy: Strategy, source: str, code: Any, stderr: str
) -> None:
    async with served(tmp_path, strategy=strategy, timeout_s=0.02) as runner:
        data = (await runner.run(source)).json()["data"]
    assert (data.get("exitCode", GONE), data["stderr"]) == (code, stderr)


@pytest.mark.parametrize(
    ("strategy", "settings", "status", "message"),
    [
        (Strategy.FORKEXEC, {"version": "99", "image": "x"}, 201, None),
        (Strategy.DOCKER, {"version": "3.9"}, 201, None),
        (Strategy.DOCKER, {"version": "99"}, 400, "Language PYTHON for version 99 is not supported"),
        (Strategy.FORKEXEC, {"language": "NODE"}, 400, "Language NODE for version undefined is not supported"),
        (Strategy.FORKEXEC, {"language": "C"}, 400, "Bad Request"),
        (Strategy.FORKEXEC, {"version": 3}, 400, "Bad Request"),
        (Strategy.FORKEXEC, {"x": 1}, 400, "Bad Request"),
    ],
)
async def test_which_settings_are_taken(
    tmp_path: Path, strategy: Strategy, settings: dict[str, object], status: int, message: str | None
) -> None:
    async with served(tmp_path, strategy=strategy) as runner:
        answer = await runner.run("echo", **settings)
    assert (answer.status_code, answer.json().get("message")) == (status, message)


async def test_a_failed_sandbox_is_a_500_and_tells_no_inside(runner: Served) -> None:
    answer = await runner.run("fail")
    assert answer.json() == {"statusCode": 500, "message": "the sandbox failed", "error": "Internal Server Error"}


async def test_beyond_the_queue_the_monolith_gets_429(tmp_path: Path) -> None:
    async with served(tmp_path, jobs=0) as runner:
        answer = await runner.run("echo")
    assert (answer.status_code, answer.json()["message"]) == (429, "Too Many Requests")
    assert int(answer.headers["retry-after"]) >= 1


async def test_paths_are_express_s_and_a_head_is_a_get(runner: Served) -> None:
    assert (await runner.client.get("/HEALTH/")).json()["data"] == {"status": "ok"}
    assert (await runner.client.head("/metrics")).headers["content-type"] == "text/plain; charset=utf-8; version=0.0.4"
    text = (await runner.client.get("/metrics")).text
    assert 'http_requests_count{method="GET",status="2XX",path="/HEALTH/"} 1\n' in text
    assert (await runner.client.put("/run?x=1")).json()["message"] == "Cannot PUT /run?x=1"


async def test_the_metrics_count_runs_and_the_cache(runner: Served) -> None:
    await runner.run("crash")
    for _ in range(2):
        await runner.run("echo", language="RUST")
    text = (await runner.client.get("/metrics")).text
    for line in (
        'runner_steps_total{language="PYTHON",step="run",status="runtime_error"} 1',
        'runner_steps_total{language="RUST",step="compile",status="ok"} 1',
        'runner_step_seconds_count{language="RUST",step="run"} 2',
        'runner_compile_cache_total{result="hit"} 1',
        "runner_queue_waiting 0",
        'http_requests_count{method="POST",status="2XX",path="/run"} 3',
    ):
        assert f"{line}\n" in text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP ")}
    assert names == {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
