"""Mailer as a process: how it starts, how it says that it cannot, and how it ends."""

import asyncio
import json
import os
import socket
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology, load
from extracted.mailer.main import TOPOLOGY
from tests.support.connected import fresh_rabbit
from tests.support.system.waiting import until
from tests.unit.extracted.mailer.running import published, request, run, running_mailer, running_sink, settings, started

pytestmark = pytest.mark.walk


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mailer.sqlite3'}"


@pytest.fixture
def broker(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'broker.sqlite3'}"


def test_help_names_all_settings() -> None:
    from extracted.mailer.settings import Settings

    shown = run("--help").stdout
    fields = (field.validation_alias or f"MAILER_{name.upper()}" for name, field in Settings.model_fields.items())
    assert [name for name in fields if str(name) not in shown] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SMTP_HOST": "", "PUBLIC_WWW_URL": ""}, ["MAILER_SMTP_HOST", "MAILER_PUBLIC_WWW_URL"]),
        ({"SMTP_USER": "u"}, ["MAILER_SMTP_PASSWORD"]),
        ({"SMTP_TLS": "maybe"}, ["MAILER_SMTP_TLS"]),
        ({"SMTP_TLS": "starttls", "SMTP_CA_FILE": "/nowhere/at/all"}, ["MAILER_SMTP_CA_FILE"]),
        ({"FROM": "nobody"}, ["MAILER_FROM"]),
        ({"INGRESS_PORT": "0", "INGRESS_USER": "u"}, ["MAILER_INGRESS_PASSWORD"]),
        ({"INGRESS_PORT": "0", "INGRESS_HOST": "0.0.0.0", "INGRESS_USER": "u", "INGRESS_PASSWORD": "tell-nobody"}, [
            "ingress"
        ]),
        ({"DATABASE_URL": "nonsense"}, ["sqlite:///PATH"]),
        ({"BROKER_URL": "redis://tell-nobody@x"}, ["amqp://"]),
        ({"OPERATOR_TOKEN": "tell-nobody"}, ["MAILER_OPERATOR_TOKEN"]),
    ],
)  # fmt: skip
def test_wrong_settings_are_named_and_never_shown(
    database: str, broker: str, changes: dict[str, str], said: list[str]
) -> None:
    ended = run("--port", "0", environ=settings(database, broker, **changes))
    assert ended.returncode == 2, ended.stderr
    assert [word for word in said if word not in ended.stderr] == []
    assert "tell-nobody" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "url", "said"),
    [
        (["--port", "0"], "", "run `python -m extracted.mailer migrate`"),
        (["migrate"], "sqlite:////nowhere/at/all", "the database does not answer"),
        (["migrate"], "postgresql://x@127.0.0.1:1/x", "the database does not answer"),
    ],
)
def test_a_database_without_tables_or_out_of_reach_is_told_in_a_sentence(
    tmp_path: Path, database: str, broker: str, command: list[str], url: str, said: str
) -> None:
    (tmp_path / "mailer.sqlite3").touch()
    ended = run(*command, environ=settings(url or database, broker))
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert said in ended.stderr


def test_migrate_makes_the_file_and_the_tables_and_does_nothing_twice(tmp_path: Path, database: str) -> None:
    for _ in range(2):
        done = run("migrate", environ={"PATH": os.environ["PATH"], "MAILER_DATABASE_URL": database})
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the tables of mailer are up to date\n"
    with sqlite3.connect(tmp_path / "mailer.sqlite3") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'mailer_%'")}
    assert {"mailer_mails", "mailer_events", "mailer_contents", "mailer_parked"} <= names
    assert oct((tmp_path / "mailer.sqlite3").stat().st_mode)[-3:] == "600"


async def declared(url: str, topology: Topology) -> None:
    somebody = open_broker(url, "somebody")
    try:
        await somebody.declare(topology)
    finally:
        await somebody.aclose()


@pytest.mark.parametrize("kind", ["tables", pytest.param("rabbit", marks=pytest.mark.connected)])
def test_queues_that_are_not_as_wanted_end_it_with_a_sentence(database: str, broker: str, kind: str) -> None:
    url, wanted = broker if kind == "tables" else fresh_rabbit(), load(TOPOLOGY).owned_by("mailer")
    other = Topology(wanted.writers, tuple(replace(queue, max_length=7) for queue in wanted.queues))
    asyncio.run(declared(url, other))
    environ = settings(database, url)
    assert run("migrate", environ=environ).returncode == 0
    ended = run("--port", "0", environ=environ)
    assert ended.returncode == 1
    assert "mailer." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_broker_that_is_away_is_waited_for_and_mails_are_sent_meanwhile(tmp_path: Path, database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = f"amqp://guest:guest@127.0.0.1:{port}/"
    with running_sink(tmp_path) as sink, running_mailer(database, away, **sink.settings) as mailer:
        id = mailer.mail("1")["id"]
        until(lambda: [one.id for one in sink.taken()] == [id], "it is sent")
        assert mailer.json("GET", "/internal/status")["consumer"]["isConsuming"] is False


def test_a_database_that_is_away_is_waited_for(tmp_path: Path, broker: str) -> None:
    environ = settings(f"sqlite:///{tmp_path / 'later.sqlite3'}", broker)
    with running_sink(tmp_path) as sink, started(environ | {"MAILER_SMTP_PORT": str(sink.port)}) as mailer:
        asyncio.run(published(broker, request("m-1")))
        assert mailer.ask("GET", "/health/ready", None).status == 503
        assert mailer.ask("GET", "/metrics", None).status == 503
        assert mailer.ask("GET", "/mails").status == 503
        assert run("migrate", environ=environ).returncode == 0
        until(lambda: len(sink.taken()) == 1, "it is sent")


def test_a_port_that_is_taken_ends_it(database: str, broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = settings(database, broker)
        assert run("migrate", environ=environ).returncode == 0
        ended = run("--port", str(taken.getsockname()[1]), environ=environ)
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["event"] == "cannot_listen"
