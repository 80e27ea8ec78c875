"""Runs: a program's input, its output, and its end."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import psutil
import pytest

from tests.recordings.running import Running, running_runner
from tests.unit.examples.monolith.client import Answer, Client

pytestmark = pytest.mark.walk


@pytest.fixture(scope="module")
def runner() -> Iterator[Client]:
    with running_runner() as running:
        yield Client(running.host, running.port)


@pytest.fixture(scope="module")
def hasty() -> Iterator[Running]:
    """A runner with a time limit of half a second."""
    with running_runner({"RUNNER_TIMEOUT": "500"}) as running:
        yield running


def run(runner: Client, code: str, *stdin: str, language: str = "PYTHON") -> Answer:
    workload = {"sourceCode": code, "stdin": list(stdin), "settings": {"language": language}}
    return runner.post("/run", workload)


def test_a_program_gets_its_lines_and_no_end(runner: Client) -> None:
    answer = run(runner, "import sys; [print(repr(sys.stdin.readline())) for _ in range(2)]", "a", "é b")
    assert (answer.status, answer.data["stdout"]) == (201, "'a\\n'\n'é b\\n'\n")


@pytest.mark.parametrize("code", ["while True: pass", "import sys; sys.stdin.read()", "import time; time.sleep(60)"])
def test_a_program_that_takes_too_long_is_ended(hasty: Running, code: str) -> None:
    assert run(Client(hasty.host, hasty.port), code).data["exitCode"] == -128


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", None),
        ("import subprocess; subprocess.Popen(['sleep', '30'])", 0),
    ],
)
def test_the_end_of_a_program_is_told(runner: Client, code: str, exit_code: int | None) -> None:
    assert run(runner, code).data["exitCode"] == exit_code


def test_what_a_program_left_behind_is_ended_with_it(runner: Client) -> None:
    answer = run(runner, "import subprocess; print(subprocess.Popen(['sleep', '30']).pid)")
    deadline = monotonic() + 20
    while is_running(int(answer.data["stdout"])):
        assert monotonic() < deadline


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_output_has_a_limit(runner: Client) -> None:
    answer = run(runner, "print('x' * 3_000_000); import sys; sys.stderr.buffer.write(b'\\xff')")
    assert (len(answer.data["stdout"]), answer.data["stderr"], answer.data["exitCode"]) == (1 << 20, "\ufffd", 0)


def test_a_file_has_a_limit(runner: Client) -> None:
    answer = run(runner, "open('big', 'wb').write(bytes(32 << 20))")
    assert "OSError" in answer.data["stderr"]


def test_a_program_sees_nothing_of_the_runner_s_environment(runner: Client) -> None:
    answer = run(runner, "import json, os; print(json.dumps(sorted(os.environ)))")
    assert set(json.loads(answer.data["stdout"])) <= {"PATH", "LANG", "HOME", "LC_CTYPE"}


def test_input_that_nobody_reads_holds_nothing_up(runner: Client) -> None:
    answer = run(runner, "print(1)", "x" * 90_000)
    assert (answer.data["stdout"], answer.data["exitCode"]) == ("1\n", 0)


def test_runs_are_at_once(runner: Client) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: run(runner, "print(input())", str(n)).data["stdout"], range(12)))
    assert answers == [f"{n}\n" for n in range(12)]


@pytest.mark.parametrize(
    ("settings", "status", "message"),
    [
        ({"language": "RUST"}, 400, "Language RUST for version undefined is not supported"),
        ({"language": "RUST", "version": "1.60"}, 400, "Language RUST for version 1.60 is not supported"),
        ({"language": "rust"}, 400, "Bad Request"),
        ({"language": "PYTHON", "version": 3}, 400, "Bad Request"),
        ({}, 400, "Bad Request"),
        (None, 400, "Bad Request"),
    ],
)
def test_a_language_that_is_not_there_is_refused(runner: Client, settings: object, status: int, message: str) -> None:
    answer = runner.post("/run", {"sourceCode": "", "stdin": [], "settings": settings})
    assert (answer.status, answer.json["message"]) == (status, message)


def test_paths_are_express_s_and_a_head_is_a_get(runner: Client) -> None:
    assert runner.get("/HEALTH/").data == {"status": "ok"}
    assert runner.ask("HEAD", "/metrics").status == 200
    assert 'http_requests_count{method="GET",status="2XX",path="/HEALTH/"} 1' in runner.get("/metrics").content.decode()
    assert runner.ask("PUT", "/run?x=1").json["message"] == "Cannot PUT /run?x=1"
