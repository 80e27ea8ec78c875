"""The parts as they are started: once, on loopback, ended by their pids, and under compose's names and ports."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from parts import docker, fresh, leftovers
from parts.__main__ import PARTS, clear
from parts.place import OsUser, PartFailed, Place, from_environment
from parts.ports import free_port
from parts.process import Daemon, is_open
from parts.servers import redis

OWN = OsUser(os.geteuid(), os.getegid())
DEADLINE_S = 60
LISTENER = """
import signal, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
signal.sigwait([signal.SIGTERM])
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(Place(tmp_path, OWN), "listener")
    yield daemon
    daemon.stop()


def started(daemon: Daemon) -> tuple[psutil.Process, int]:
    port = free_port()
    daemon.start([sys.executable, "-c", LISTENER, str(port)], port, DEADLINE_S)
    process = daemon.process()
    assert process is not None
    return process, port


def test_a_daemon_runs_apart_until_it_is_stopped_by_its_pid(daemon: Daemon) -> None:
    process, port = started(daemon)
    assert is_open(port)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    daemon.stop()
    assert daemon.process() is None
    assert not is_open(port)
    daemon.stop()  # twice does no harm


def test_a_pid_that_is_anothers_by_now_is_left_alone(daemon: Daemon, tmp_path: Path) -> None:
    process, _port = started(daemon)
    pid_file = tmp_path / "listener.pid"
    kept = pid_file.read_text()
    pid_file.write_text(f"{process.pid} {process.create_time() - 60}\n")
    assert daemon.process() is None
    daemon.stop()
    assert process.is_running()
    pid_file.write_text(kept)


def test_a_daemon_that_ends_at_once_shows_what_it_said(daemon: Daemon) -> None:
    with pytest.raises(PartFailed, match="no such thing"):
        daemon.start([sys.executable, "-c", "raise SystemExit('no such thing')"], free_port(), DEADLINE_S)


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_can_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    monkeypatch.setenv("PARTS_DIR", str(shared))
    with pytest.raises(PartFailed, match="PARTS_DIR"):
        from_environment()


def test_compose_has_the_same_parts_on_the_same_ports_of_loopback() -> None:
    services = yaml.safe_load(docker.FILE.read_text())["services"]
    assert services.keys() == PARTS.keys()
    for name, service in services.items():
        published = [_published(name, text) for text in service["ports"]]
        assert published[0][0] == "PORT"
        assert published == [(attribute, _default(name, attribute)) for attribute, _ in published]
        assert service["healthcheck"]["test"]


def _published(name: str, text: str) -> tuple[str, int]:
    match = re.fullmatch(rf"127\.0\.0\.1:\$\{{{name.upper()}_((?:\w+_)?PORT):-(\d+)\}}:\d+", text)
    assert match is not None, text
    return match[1], int(match[2])


def _default(name: str, attribute: str) -> int:
    """Whatever the environment of this run says."""
    environ = {key: value for key, value in os.environ.items() if not key.endswith("_PORT")}
    code = f"from parts.__main__ import PARTS; print(PARTS[{name!r}].{attribute})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=docker.FILE.parent, env=environ, capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.connected
@pytest.mark.parametrize("name", PARTS)
def test_a_part_answers_on_its_port(name: str) -> None:
    assert is_open(PARTS[name].PORT), f"{name} does not run; start it with `make parts`"


def test_only_names_of_test_runs_that_are_over_are_left_over() -> None:
    now = time.time()
    mine, others = fresh.fresh_name(), ["postgres", "polycode", "run_by_hand", "run_0123456789abcdefg"]
    before, ahead = "run_00000001aaaaaaaa", "run_ffffffffaaaaaaaa"
    assert leftovers.old([mine, *others, before, ahead], now) == [before, ahead]
    assert leftovers.old([mine], now + leftovers.OLD_S + 2) == [mine]


def test_clear_removes_the_data_of_one_part_and_leaves_built_programs(tmp_path: Path) -> None:
    place = Place(tmp_path, OWN)
    kept = (place.folder("bin") / "program", place.folder("rabbit") / "data")
    for file in (*kept, place.folder(redis.NAME) / "log"):
        file.touch()
    clear(redis, place)
    clear(redis, place)  # twice does no harm
    assert not (tmp_path / redis.NAME).exists()
    assert all(file.exists() for file in kept)


@pytest.mark.connected
def test_what_a_run_has_made_is_gone_when_it_ends() -> None:
    code = """
from parts import fresh
import pymongo
urls = [fresh.postgres_database(), fresh.mongo_database(), fresh.rabbit_vhost()]
with pymongo.MongoClient(urls[1]) as client:
    client.get_default_database()["kept"].insert_one({"a": 1})
    assert client.get_default_database().name in client.list_database_names()
print(*(url.rpartition("/")[2] for url in urls))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, check=True, text=True
    )
    made = done.stdout.split()
    assert len(made) == 3
    for names in (leftovers.databases(), leftovers.documents(), leftovers.vhosts()):
        assert len(names) > 0
        assert not {*names} & {*made}
