"""The client of Runner: what its answers mean, and that no failure lets anybody wait."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from chassis.auth.service_credentials import SharedToken
from extracted.learning.submissions.domain import CodeResult
from extracted.learning.submissions.ports import CodeJob, RunFailed, RunnerBusy
from extracted.learning.submissions.runner_client import HttpRunner
from tests.support.scripted_runner import DOUBLE, TOKEN, ScriptedRunner, ok, scripted_runner

FULL = (429, {"Retry-After": "0"}, b"{}")
AT_ONCE = 2


@pytest.fixture
def runner() -> Iterator[ScriptedRunner]:
    with scripted_runner() as running:
        yield running


@pytest.fixture
async def client(runner: ScriptedRunner) -> AsyncIterator[HttpRunner]:
    opened = HttpRunner(runner.url, SharedToken(TOKEN), at_once=AT_ONCE)
    yield opened
    await opened.aclose()


def job(source: str = DOUBLE, *numbers: str, deadline_s: float = 10) -> CodeJob:
    return CodeJob("the-user", "PYTHON", source, [[number] for number in numbers or ("2",)], deadline_s)


def answer(*results: dict[str, Any], **more: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"results": list(results), **more}).encode()


async def test_all_inputs_go_with_one_job_and_their_results_keep_the_order(
    runner: ScriptedRunner, client: HttpRunner
) -> None:
    assert [result.stdout for result in await client.run(job(DOUBLE, "2", "5", "3"))] == ["4\n", "10\n", "6\n"]
    (sent,) = runner.jobs
    assert sent["inputs"] == [{"stdin": ["2"]}, {"stdin": ["5"]}, {"stdin": ["3"]}]
    assert (sent["user"], sent["language"], sent["source"]) == ("the-user", "PYTHON", DOUBLE)
    assert 9_000 < sent["deadline_ms"] <= 10_000


async def test_more_inputs_than_a_job_takes_are_several_jobs(runner: ScriptedRunner, client: HttpRunner) -> None:
    results = await client.run(job(DOUBLE, *map(str, range(250))))
    assert [result.stdout for result in results] == [f"{2 * number}\n" for number in range(250)]
    assert [len(sent["inputs"]) for sent in runner.jobs] == [100, 100, 50]


@pytest.mark.parametrize(
    ("result", "exit_code"),
    [
        ({}, 0),
        ({"status": "runtime_error", "exit_code": 3}, 3),
        ({"status": "runtime_error", "exit_code": None, "signal": 11}, 139),
        ({"status": "time_limit", "exit_code": None, "signal": 9}, -128),
        ({"status": "cpu_limit", "exit_code": 0}, -128),
        ({"status": "memory_limit", "exit_code": None, "signal": 9}, 137),
        ({"status": "output_limit", "exit_code": 0}, 137),
        ({"status": "process_limit", "exit_code": None, "signal": None}, 137),
        ({"status": "compile_error", "exit_code": 1}, 1),
    ],
)
async def test_the_exit_code_is_the_monoliths_and_never_0_for_a_run_that_failed(
    runner: ScriptedRunner, client: HttpRunner, result: dict[str, Any], exit_code: int
) -> None:
    runner.answers.append(answer(ok("a\n") | {"stderr": "b"} | result))
    assert await client.run(job()) == [CodeResult("a\n", "b", exit_code)]


async def test_code_that_does_not_compile_fails_every_input_with_the_compiler_s_words(
    runner: ScriptedRunner, client: HttpRunner
) -> None:
    compiled = ok("") | {"status": "compile_error", "exit_code": 1, "stderr": "error: expected `;`"}
    runner.answers.append(answer(compile=compiled))
    assert await client.run(job(DOUBLE, "1", "2")) == [CodeResult("", "error: expected `;`", 1)] * 2


@pytest.mark.parametrize(
    "said",
    [
        (500, {}, b"{}"),
        (401, {}, b"{}"),
        (400, {}, b'{"error": "language: it is not installed here"}'),
        (200, {}, b"nothing"),
        (200, {}, b"[" * 100_000),
        answer(),
        answer(ok("1"), ok("2")),
        answer({"status": "ok"}),
        answer(ok("") | {"status": "sandbox_error"}),
        answer(ok("") | {"status": "a word of tomorrow"}),
    ],
)
async def test_an_answer_without_results_is_a_failure(
    runner: ScriptedRunner, client: HttpRunner, said: tuple[int, dict[str, str], bytes]
) -> None:
    runner.answers.append(said)
    with pytest.raises(RunFailed):
        await client.run(job())


async def test_a_full_runner_is_asked_again_until_the_deadline(runner: ScriptedRunner, client: HttpRunner) -> None:
    runner.answers += [FULL, (503, {"Retry-After": "0"}, b"{}"), FULL]
    assert [result.stdout for result in await client.run(job())] == ["4\n"]
    runner.answers += [(429, {"Retry-After": "9"}, b"{}")]
    with pytest.raises(RunnerBusy):
        await client.run(job(deadline_s=1.1))


async def test_a_runner_that_is_away_is_a_failure_at_once() -> None:
    away = HttpRunner("http://127.0.0.1:9", SharedToken(TOKEN), at_once=1)
    with pytest.raises(RunFailed):
        await asyncio.wait_for(away.run(job()), 60)
    await away.aclose()


async def test_a_runner_that_hangs_is_given_up_after_the_deadline(runner: ScriptedRunner, client: HttpRunner) -> None:
    runner.gate.clear()
    with pytest.raises(RunFailed):
        await client.run(job(deadline_s=1.2))
