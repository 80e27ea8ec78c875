"""The registrar's process on a real agent: what joins and leaves, crashes, a wiped Consul, two registrars."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from parts.servers import consul as part

pytestmark = pytest.mark.connected
DEADLINE_S = 60
EVERY = ("--interval", "0.2", "--check-interval", "0.2")


class Agent:
    """What an agent has of one service of a test's own."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, f"items-{uuid4().hex[:8]}"

    def line(self, port: int, **more: object) -> str:
        return json.dumps({"service": self.name, "host": "127.0.0.1", "port": port, **more}) + "\n"

    def ports(self) -> set[int]:
        rows = httpx.get(f"{self.url}/v1/agent/services", timeout=10).raise_for_status().json()
        return {row["Port"] for row in rows.values() if row["Service"] == self.name}

    def passing(self) -> set[int]:
        url = f"{self.url}/v1/health/service/{self.name}?passing=1"
        return {row["Service"]["Port"] for row in httpx.get(url, timeout=10).raise_for_status().json()}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "chassis.registrar", *words]

    def once(self, *words: str) -> dict[str, list[str]]:
        command = self.command(*words, "--once", "--json")
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        found: dict[str, list[str]] = json.loads(done.stdout)
        assert done.returncode == (1 if found["problems"] else 0), done.stderr
        return found

    @property
    def environ(self) -> dict[str, str]:
        return {"REGISTRAR_CONSUL_URL": self.url}

    @contextmanager
    def registrar(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(self.command(*words, *EVERY), env=self.environ, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(DEADLINE_S) in (0, -signal.SIGKILL)


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not _holds(holds):
        assert time.monotonic() < end
        time.sleep(0.05)


def replace(file: Path, text: str) -> None:
    """At once: a running registrar that reads an empty list takes everything out."""
    written = file.with_suffix(".written")
    written.write_text(text)
    written.replace(file)


def _holds(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except httpx.HTTPError:
        return False


@pytest.fixture
def agent() -> Agent:
    return Agent(part.URL)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "instances.jsonl"


def test_what_joins_the_list_is_registered_and_checked_and_what_leaves_it_is_deregistered(
    agent: Agent, file: Path
) -> None:
    file.write_text(agent.line(part.PORT, health="/v1/status/leader") + agent.line(1))
    alive = file.with_name("alive")
    with agent.registrar("--list", str(file), "--deregister-on-exit", "--alive", str(alive)):
        eventually(lambda: agent.ports() == {part.PORT, 1})
        eventually(alive.exists)
        seen = alive.stat().st_mtime_ns
        eventually(lambda: alive.stat().st_mtime_ns > seen)
        eventually(lambda: agent.passing() == {part.PORT})
        replace(file, agent.line(part.PORT, health="/no-such-page"))
        eventually(lambda: agent.ports() == {part.PORT} and agent.passing() == set())
        replace(file, "half a li")
        assert agent.once("--list", str(file))["problems"]
        assert agent.ports() == {part.PORT}
    assert agent.ports() == set()


def test_a_second_pass_changes_nothing_and_a_command_tells_what_runs(agent: Agent, file: Path) -> None:
    file.write_text(agent.line(part.PORT))
    words = ("--command", f"cat {file}")
    assert len(agent.once(*words)["registered"]) == 1
    assert agent.once(*words) == {"registered": [], "deregistered": [], "foreign": [], "problems": []}
    file.write_text("")
    assert len(agent.once(*words)["deregistered"]) == 1
    assert agent.once("--command", "false")["problems"]
    assert agent.once("--list", str(file / "none"))["problems"]


def test_two_registrars_leave_each_others_instances_alone(agent: Agent, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    file.write_text(agent.line(1) + agent.line(2))
    other.write_text(agent.line(2) + agent.line(3))
    mine, others = ("--list", str(file), "--name", "one"), ("--list", str(other), "--name", "two")
    assert len(agent.once(*mine)["registered"]) == 2
    found = agent.once(*others)
    assert (len(found["registered"]), len(found["foreign"])) == (1, 1)
    assert agent.once(*mine)["registered"] == agent.once(*others)["registered"] == []
    file.write_text("")
    agent.once(*mine)
    assert agent.ports() == {3}
    agent.once(*others)
    assert agent.ports() == {2, 3}
    other.write_text("")
    agent.once(*others)
    assert agent.ports() == set()


def test_after_a_kill_of_its_own_and_a_wiped_consul_everything_is_registered_again(tmp_path: Path, file: Path) -> None:
    with part.own(tmp_path) as server:
        agent = Agent(server.url)
        file.write_text(agent.line(1) + agent.line(2))
        with agent.registrar("--list", str(file)) as process:
            eventually(lambda: agent.ports() == {1, 2})
            process.kill()
            process.wait()
        file.write_text(agent.line(2))
        with agent.registrar("--list", str(file)):
            eventually(lambda: agent.ports() == {2})
            server.wipe()
            eventually(lambda: agent.ports() == {2})
            server.kill()
            server.start()
            eventually(lambda: agent.ports() == {2})
        assert agent.ports() == {2}  # a stop leaves them
