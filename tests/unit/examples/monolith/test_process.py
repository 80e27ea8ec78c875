"""The stand-in as a process: start, stop, restart."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recordings.running import ROOT, running_monolith
from tests.unit.examples.monolith.client import Client

pytestmark = pytest.mark.walk


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, stop: signal.Signals) -> None:
    with running_monolith(tmp_path / "monolith.sqlite3") as running:
        assert Client(running.host, running.port).get("/health").status == 200
        running.process.send_signal(stop)
        assert running.process.wait(20) == 0


def test_a_restart_keeps_data_and_tokens(tmp_path: Path) -> None:
    database = tmp_path / "monolith.sqlite3"
    with running_monolith(database, seed="demo") as running:
        token = Client(running.host, running.port).login("alice@example.org", "alice-secret").token
        assert stat.S_IMODE(database.with_name("monolith.sqlite3.secret").stat().st_mode) == 0o600
    with running_monolith(database, seed="demo") as running:
        alice = Client(running.host, running.port, token)
        assert alice.get("/user/@me").data["points"] == 500


def test_a_secret_of_the_environment_is_not_written_down(tmp_path: Path) -> None:
    with running_monolith(tmp_path / "monolith.sqlite3", environ={"AUTH_JWT_SECRET": "of the environment"}) as running:
        assert Client(running.host, running.port).login("admin", "admin").get("/user/@me").status == 200
        assert list(tmp_path.glob("*.secret")) == []


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("postgresql+asyncpg://127.0.0.1/none", "AUTH_JWT_SECRET is not set"),
        ("missing/directory/monolith.sqlite3", "missing/directory/monolith.sqlite3.secret"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_a_line(tmp_path: Path, database: str, said: str) -> None:
    command = [sys.executable, "-m", "examples.monolith", "--port", "0", "--database", database]
    environ = {name: value for name, value in os.environ.items() if name != "AUTH_JWT_SECRET"}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
