"""The command itself, with everything made small."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.common.designs import STARTERS
from benchmarks.gateway.__main__ import arguments

ROOT = Path(__file__).parents[3]
SMALL = [
    "--rounds=1",
    "--seconds=1",
    "--download-mib=1",
    "--stream-mib=1",
    "--slow-seconds=1",
    "--read-seconds=0",
    "--auth-seconds=0",
    "--resilience-seconds=0",
    "--workers-seconds=0",
]
RATIOS = ("vs_naive", "vs_envoy", "vs_nginx", "vs_haproxy", "p99_vs_envoy")


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gateway", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.walk
def test_the_last_line_is_one_json_object_with_ratios_at_its_top() -> None:
    done = bench("--only", "gateway,naive", *SMALL)
    assert done.returncode == 0, done.stderr
    *progress, last = done.stdout.splitlines()
    result = json.loads(last)
    assert progress
    assert result["vs_naive"] > 0
    assert {name: result[name] for name in RATIOS if name != "vs_naive"} == dict.fromkeys(RATIOS[1:])
    assert set(result["designs"]) == set(STARTERS)
    assert result["designs"]["gateway"]["errors"] == 0
    assert result["designs"]["gateway"]["download_mib_per_s"] > 0
    assert result["rss_mib_streaming"] is None or result["rss_mib_streaming"] > 10


@pytest.mark.walk
def test_the_floor_passes_answers_and_downloads_on_and_json_only_prints_nothing_else() -> None:
    done = bench("--only", "floor", "--json-only", *SMALL)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    floor = json.loads(line)["designs"]["floor"]
    assert floor["errors"] == 0
    assert floor["download_mib_per_s"] > 0


def test_an_unknown_design_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--only", "gateway,apache"])
    assert "no design is named apache" in capsys.readouterr().err


@pytest.mark.walk
def test_an_interrupted_run_leaves_no_process() -> None:
    command = [sys.executable, "-m", "benchmarks.gateway", "--only", "naive", "--seconds", "1", "--rounds", "20"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith(b"round 1")
        started = children(running.pid)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    assert len(started) >= 2
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        pytest.skip("this system does not list the children of a process")
    return [int(child) for child in listed.read_text().split()]
