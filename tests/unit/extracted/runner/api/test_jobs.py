"""POST /jobs and GET /runtimes: the runner's own API, and each fault of a job with its field."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.types import Message

from chassis.service.operators_status import read
from tests.unit.extracted.runner.served import AUTHORIZED, OPERATOR, Served, served


async def test_a_source_is_compiled_once_and_has_one_result_for_each_input(runner: Served) -> None:
    answer = await runner.job("echo", "RUST", runs=5)
    results = answer.json()["results"]
    assert [result["stdout"] for result in results] == [f"{number}\n" for number in range(5)]
    assert answer.json()["compile"]["status"] == "ok"
    assert (runner.sandbox.compiled, runner.sandbox.boxes) == (["echo"], 0)


async def test_a_result_tells_all_that_is_known(runner: Served) -> None:
    assert (await runner.job("crash")).json() == {
        "results": [
            {
                "status": "runtime_error",
                "exit_code": None,
                "signal": 11,
                "stdout": "",
                "stderr": "\ufffd",
                "cpu_ms": 2,
                "wall_ms": 3,
                "peak_kb": 4,
                "truncated": True,
            }
        ]
    }


@pytest.mark.parametrize(
    ("source", "stderr"),
    [("wrong", "line 1 is wrong"), ("nothing", "the compiler left no program\n"), ("killed", "")],
)
async def test_a_source_that_does_not_compile_has_that_as_each_result(runner: Served, source: str, stderr: str) -> None:
    answer = (await runner.job(source, "RUST", runs=2)).json()
    told = answer["compile"]
    assert (told["status"], told["exit_code"], told["signal"], told["stderr"]) == ("compile_error", 1, None, stderr)
    assert answer["results"] == [answer["compile"]] * 2


async def test_a_run_reads_the_program_alone(runner: Served) -> None:
    await runner.job("echo", "RUST")
    command = runner.sandbox.commands[-1]
    [folder] = command.readable
    assert [path.name for path in folder.iterdir()] == ["main"]


@pytest.mark.parametrize("language", ["PYTHON", "RUST"])
async def test_behind_its_deadline_a_job_s_runs_are_out_of_time(tmp_path: Path, language: str) -> None:
    async with served(tmp_path, turns=1) as runner:
        first = asyncio.create_task(runner.job("hang"))
        await runner.until(lambda: runner.queue.running == 1)
        second = await runner.job("echo", language, runs=2, deadline_ms=30)
        first.cancel()
    assert [result["status"] for result in second.json()["results"]] == ["time_limit"] * 2


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"language": "COBOL"}, "language", "it is not installed here; installed are PYTHON, RUST"),
        ({"language": None}, "language", "it is not installed here"),
        ({"version": "3.9"}, "version", "PYTHON has version 3.11.2"),
        ({"version": 3}, "version", "PYTHON has version 3.11.2"),
        ({"source": ""}, "source", "it is missing or empty"),
        ({"source": ["x"]}, "source", "it is missing or empty"),
        ({"source": "é" * 51_201}, "source", "it is too long; wanted are at most 102400 bytes"),
        ({"inputs": []}, "inputs", "wanted is a list of 1 to 100 inputs"),
        ({"inputs": [{"stdin": []}] * 101}, "inputs", "wanted is a list of 1 to 100 inputs"),
        ({"inputs": [{"stdin": ["x" * 600_000]}] * 2}, "inputs", "they are too long"),
        ({"inputs": [{"stdin": []}, {"stdin": [1]}]}, "inputs.1", 'wanted is {"stdin": [text, …]}'),
        ({"inputs": [{"stdin": [], "args": []}]}, "inputs.0", 'wanted is {"stdin": [text, …]}'),
        ({"inputs": ["x"]}, "inputs.0", 'wanted is {"stdin": [text, …]}'),
        ({"deadline_ms": -1}, "deadline_ms", "wanted is a whole number from 1 to 300000"),
        ({"deadline_ms": 0}, "deadline_ms", "wanted is a whole number from 1 to 300000"),
        ({"deadline_ms": 1.5}, "deadline_ms", "wanted is a whole number from 1 to 300000"),
        ({"deadline_ms": True}, "deadline_ms", "wanted is a whole number from 1 to 300000"),
        ({"user": 1}, "user", "wanted is a text"),
        ({"user": "x" * 201}, "user", "wanted is a text"),
        ({"keep_stdin_open": "no"}, "keep_stdin_open", "wanted is true or false"),
        ({"image": "x"}, "image", "there is no such field"),
    ],
)
async def test_a_fault_is_a_400_with_its_field(
    runner: Served, change: dict[str, object], field: str, told: str
) -> None:
    job = {"language": "PYTHON", "source": "echo", "inputs": [{"stdin": []}]}
    answer = await runner.send(job | change)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert told in answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_object_is_a_400(runner: Served, content: bytes) -> None:
    answer = await runner.client.post("/jobs", content=content, headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["field"]) == (400, "")


async def test_a_body_beyond_2_mib_is_a_413(runner: Served) -> None:
    answer = await runner.client.post("/jobs", content=b" " * (2 << 20) + b"{}", headers=AUTHORIZED)
    assert answer.status_code == 413


async def test_the_runtimes_are_those_that_were_found(runner: Served) -> None:
    answer = await runner.client.get("/runtimes", headers=AUTHORIZED)
    assert answer.json() == {
        "runtimes": [
            {"language": "PYTHON", "version": "3.11.2", "compiled": False},
            {"language": "RUST", "version": "3.11.2", "compiled": True},
        ]
    }


@pytest.mark.parametrize(("method", "path"), [("POST", "/jobs"), ("GET", "/runtimes")])
async def test_without_the_internal_token_nothing_is_told(runner: Served, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer of-nobody-at-all"}):
        assert (await runner.client.request(method, path, headers=headers)).status_code == 401


async def test_beyond_the_queue_a_job_is_refused_until_later(tmp_path: Path) -> None:
    async with served(tmp_path, jobs=1) as runner:
        first = asyncio.create_task(runner.job("hang"))
        await runner.until(lambda: runner.queue.running == 1)
        answer = await runner.job("echo")
        first.cancel()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_stop_gives_back_what_waits_at_once_and_what_runs_when_its_time_is_up(tmp_path: Path) -> None:
    async with served(tmp_path, turns=1) as runner:
        runs = asyncio.create_task(runner.job("hang"))
        await runner.until(lambda: runner.queue.running == 1)
        waits = asyncio.create_task(runner.job("echo", runs=2))
        await runner.until(lambda: runner.queue.waiting == 2)
        runner.service.stop(within_s=0.2)
        given_back = await waits
        assert not runs.done()
        cut, late = await runs, await runner.job("echo")
    assert [answer.status_code for answer in (given_back, cut, late)] == [503] * 3
    assert given_back.headers["retry-after"] == "1"
    assert runner.sandbox.boxes == 0


async def test_a_client_that_leaves_ends_its_run(runner: Served) -> None:
    left = asyncio.Event()
    body = {"sourceCode": "hang", "stdin": [], "settings": {"language": "PYTHON"}}
    content = json.dumps(body).encode()
    messages = [{"type": "http.request", "body": content, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    scope = {"type": "http", "method": "POST", "path": "/run", "query_string": b"", "headers": fields}
    request = asyncio.ensure_future(runner.app(scope, receive, send))
    await runner.until(lambda: runner.sandbox.boxes == 1)
    left.set()
    await request
    assert (sent, runner.sandbox.boxes, runner.queue.running) == ([], 0, 0)


async def test_operators_see_the_queue_with_a_credential_of_their_own(tmp_path: Path) -> None:
    operators = {"Authorization": f"Bearer {OPERATOR}"}
    async with served(tmp_path, turns=1) as runner:
        jobs = [asyncio.create_task(runner.job("hang")) for _ in range(3)]
        await runner.until(lambda: runner.queue.waiting == 2)
        (queue,) = read((await runner.client.get("/internal/queues", headers=operators)).content)
        assert (queue.name, queue.waiting, queue.says) == ("runs", 2, "1 run now")
        assert (await runner.client.get("/internal/queues", headers=AUTHORIZED)).status_code == 401
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
