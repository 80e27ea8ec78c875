"""The runner as a process, with its real sandbox and the languages of this machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import psutil
import pytest

from extracted.runner.languages.files import FOLDER
from tests.recordings.running import Running, running_runner
from tests.support.system.waiting import until

TOKEN = "of-learning-alone"
PAGE = Path(__file__).parents[4] / "docs" / "runner.md"
JAVA = "import java.util.*;\nclass Lines {}\npublic class Doubled {\n  public static void main(String[] a) {\n" + (
    "    System.out.println(2 * new Scanner(System.in).nextInt());\n  }\n}\n"
)
RUST = (
    "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap();"
    ' println!("{}", 2 * s.trim().parse::<i64>().unwrap()) }'
)
C = '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", 2 * n); }'
DOUBLED = [
    ("PYTHON", "print(2 * int(open(0).read()))"),
    ("NODE", "console.log(2 * parseInt(require('fs').readFileSync(0, 'utf8')))"),
    ("JAVA", JAVA),
    ("RUST", RUST),
    ("C", C),
]
WRONG = {"JAVA": "class X { int }", "RUST": "fn main() { x }", "C": "int main(void) { return x; }"}


class Runner:
    def __init__(self, running: Running) -> None:
        self.running = running
        self.client = httpx.Client(base_url=running.url, trust_env=False, timeout=60)

    def job(self, language: str, source: str, *stdin: str, **fields: object) -> Any:
        inputs = [{"stdin": [line]} for line in stdin or ("",)]
        body = {"language": language, "source": source, "inputs": inputs} | fields
        answer = self.client.post("/jobs", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, code: str, *stdin: str) -> Any:
        workload = {"sourceCode": code, "stdin": list(stdin), "settings": {"language": "PYTHON"}}
        return self.client.post("/run", json=workload).json()["data"]

    def metric(self, name: str) -> float:
        [value] = re.findall(rf"^{re.escape(name)} (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        return float(value)


@contextmanager
def running(environ: Mapping[str, str]) -> Iterator[Runner]:
    with running_runner({"RUNNER_INTERNAL_TOKEN": TOKEN} | dict(environ)) as process:
        runner = Runner(process)
        with runner.client:
            yield runner


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """With the languages that ship, and C from the page that tells how to add one."""
    languages = tmp_path_factory.mktemp("own") / "languages"
    shutil.copytree(FOLDER, languages)
    [example] = re.findall(r"^```yaml\n(name: C\n.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (languages / "c.yaml").write_text(example)
    with running({"RUNNER_LANGUAGES": str(languages), "RUNNER_TIMEOUT": "1500"}) as runner:
        yield runner


@pytest.mark.parametrize(("language", "source"), DOUBLED)
def test_each_language_runs_a_source_with_each_of_its_inputs(runner: Runner, language: str, source: str) -> None:
    answer = runner.job(language, source, "2", "21")
    assert [(one["status"], one["stdout"]) for one in answer["results"]] == [("ok", "4\n"), ("ok", "42\n")], answer


@pytest.mark.parametrize(("language", "source"), WRONG.items())
def test_a_source_that_does_not_compile_is_told_with_the_compiler_s_words(
    runner: Runner, language: str, source: str
) -> None:
    [result] = runner.job(language, source)["results"]
    assert (result["status"], result["exit_code"]) == ("compile_error", 1)
    assert "error" in result["stderr"]


BOMBS = {
    "macros without end": ("RUST", "macro_rules! m { () => { m!{} m!{} } } m!{} fn main() {}"),
    "macros that double": ("RUST", "macro_rules! m { ($($t:tt)*) => { m!{$($t)* $($t)*} } } m!{1 2 3 4} fn main() {}"),
    "a loop in a constant": (
        "RUST",
        "const X: u64 = { let mut n = 0u64; while n < u64::MAX { n += 1 } n }; fn main() {}",
    ),
    "a file of the host": ("RUST", 'fn main() { println!("{}", include_str!("/etc/shadow")) }'),
    "a huge constant": ("RUST", 'static X: [u64; 1 << 30] = [7; 1 << 30]; fn main() { println!("{}", X[5]) }'),
    "nested generics": (
        "JAVA",
        "class Main { static <T> T f(T t) { return t; } Object x = " + "f(" * 5000 + "1" + ")" * 5000 + "; }",
    ),
    "a processor of annotations": (
        "JAVA",
        "import javax.annotation.processing.*; import javax.lang.model.element.*; import java.util.*;"
        '@SupportedAnnotationTypes("*") public class Main extends AbstractProcessor {'
        'static { System.out.println("ran"); while (true) {} }'
        "public boolean process(Set<? extends TypeElement> a, RoundEnvironment r) { return true; } }",
    ),
}


@pytest.mark.parametrize(("language", "source"), BOMBS.values(), ids=BOMBS)
def test_a_source_that_attacks_its_compiler_is_stopped_and_the_next_job_is_unharmed(
    runner: Runner, language: str, source: str
) -> None:
    began = monotonic()
    answer = runner.job(language, source, deadline_ms=4000)
    assert monotonic() - began < 50
    assert all(result["status"] != "ok" and "root:" not in result["stdout"] for result in answer["results"]), answer
    assert "root:" not in str(answer.get("compile"))
    assert runner.run("print(int(input()) + 1)", "1")["stdout"] == "2\n"


def test_a_program_cannot_change_what_the_next_run_of_it_is(runner: Runner) -> None:
    """It is compiled once, and finds its own file read-only, whatever it tries."""
    source = (
        'fn main() { let me = std::env::current_exe().unwrap(); let own = std::fs::write(&me, "x");'
        ' let beside = std::fs::write(me.with_file_name("y"), "x"); println!("{} {}", own.is_ok(), beside.is_ok()) }'
    )
    missed = 'runner_compile_cache_total{result="miss"}'
    before = runner.metric(missed)
    for _ in range(2):
        assert {one["stdout"] for one in runner.job("RUST", source, "1", "2")["results"]} == {"false false\n"}
    assert runner.metric(missed) == before + 1


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", None),
        ("while True: pass", -128),
        ("import sys; sys.stdin.read()", -128),
    ],
)
def test_the_end_of_a_program_is_told_as_the_monolith_s_runner_does(
    runner: Runner, code: str, exit_code: int | None
) -> None:
    assert runner.run(code, "a")["exitCode"] == exit_code


def test_a_program_gets_its_lines_and_sees_nothing_of_the_runner_s_environment(runner: Runner) -> None:
    code = "import json, os; print([input(), input()], json.dumps(sorted(os.environ)))"
    lines, _, names = runner.run(code, "a", "é b")["stdout"].partition("] ")
    assert lines == "['a', 'é b'"
    assert set(json.loads(names)) <= {"PATH", "LANG", "HOME", "TMPDIR", "PWD", "LC_CTYPE"}


def test_input_that_nobody_reads_holds_nothing_up(runner: Runner) -> None:
    assert runner.run("print(1)", "x" * 90_000) == {"stdout": "1\n", "stderr": "", "exitCode": 0}


def test_many_runs_at_once_do_not_mix(runner: Runner) -> None:
    with ThreadPoolExecutor(12) as pool:
        outputs = list(pool.map(lambda n: runner.run("print(input())", str(n))["stdout"], range(12)))
    assert outputs == [f"{n}\n" for n in range(12)]


def test_a_client_that_leaves_ends_its_program(runner: Runner) -> None:
    body = {"language": "PYTHON", "source": "import time; time.sleep(60)", "inputs": [{"stdin": []}]}
    with pytest.raises(httpx.ReadTimeout):
        runner.client.post("/jobs", json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=0.3)
    deadline = monotonic() + 4  # before the program's own time limit
    while runner.metric("runner_running"):
        assert monotonic() < deadline


def test_a_stop_finishes_what_runs_and_leaves_no_process() -> None:
    with running({"RUNNER_CONCURRENCY": "1"}) as runner, ThreadPoolExecutor(2) as pool:
        process = runner.running.process
        runs = pool.submit(runner.run, "import time; time.sleep(3); print('done')")
        until(lambda: runner.metric("runner_running"), "the first one runs", poll_s=0.01)
        waits = pool.submit(runner.client.post, "/run", json=_workload("print(1)"))
        until(lambda: runner.metric("runner_queue_waiting"), "the second one waits", poll_s=0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert waits.result().status_code == 503
        assert runs.result() == {"stdout": "done\n", "stderr": "", "exitCode": 0}
        assert process.wait(10) == 0
        assert [child for child in children if child.is_running()] == []


def _workload(code: str) -> dict[str, object]:
    return {"sourceCode": code, "stdin": [], "settings": {"language": "PYTHON"}}


def test_a_faulty_language_file_ends_the_start_with_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("name: C\n")
    found = subprocess.run(
        [sys.executable, "-m", "extracted.runner", "--port", "0"],
        env=os.environ | {"RUNNER_LANGUAGES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.splitlines() == [
        f"{tmp_path}/c.yaml: {field}: Field required" for field in ("source", "version", "run")
    ]


def test_a_language_whose_program_is_missing_is_left_out(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "python.yaml", tmp_path)
    (tmp_path / "x.yaml").write_text(
        (FOLDER / "python.yaml").read_text().replace("PYTHON", "X").replace("python3", "x3")
    )
    with running({"RUNNER_LANGUAGES": str(tmp_path)}) as runner:
        answer = runner.client.get("/runtimes", headers={"Authorization": f"Bearer {TOKEN}"})
    [runtime] = answer.json()["runtimes"]
    version = subprocess.run(["/usr/bin/python3", "--version"], capture_output=True, text=True, check=True).stdout
    assert runtime == {"language": "PYTHON", "version": version.split()[1], "compiled": False}
