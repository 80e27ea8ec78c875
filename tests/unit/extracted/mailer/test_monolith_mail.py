"""The monolith's mail, unchanged but for its SMTP settings: the fault that ends its process (C11) is taken away."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.recordings.running import RunningMonolith, running_monolith
from tests.support.system.tcp_proxy import TcpProxy
from tests.support.system.waiting import until
from tests.unit.examples.monolith.client import SECRET, Client, fresh_name
from tests.unit.extracted.mailer.running import RunningMailer, RunningSink, run, running_sink, settings, started

pytestmark = pytest.mark.walk

LOGIN = {"INGRESS_USER": "monolith", "INGRESS_PASSWORD": "of-the-monolith"}
IMPATIENT = {"RETRY_AWAY_S": "0.2", "BREAKER_S": "0.2", "DATABASE_TIMEOUT_S": "1"}
DATA = re.compile(rb"\r\nDATA\r\n(.*?\r\n)\.\r\n", re.S)


@dataclass
class Scene:
    """`watched`: what passes between monolith and ingress. `provider`: the way from Mailer to the sink."""

    folder: Path
    mailer: RunningMailer
    sink: RunningSink
    watched: TcpProxy
    provider: TcpProxy

    @contextmanager
    def monolith(self) -> Iterator[RunningMonolith]:
        variables = smtp(self.watched.port) | {"SMTP_USER": LOGIN["INGRESS_USER"], "SMTP_PASSWORD": "of-the-monolith"}
        with running_monolith(self.folder / "monolith.sqlite3", seed="demo", environ=variables) as running:
            yield running

    def mails(self) -> list[dict[str, Any]]:
        return list(self.mailer.json("GET", "/mails")["mails"])

    def handed_over(self) -> list[bytes]:
        """Each message as the monolith wrote it."""
        said = [bytes(one.up) for one in self.watched.conversations]
        return [found[1].replace(b"\r\n..", b"\r\n.") for found in map(DATA.search, said) if found]


def smtp(port: int) -> dict[str, str]:
    """The monolith's settings for a mail server at this port."""
    return {"EMAIL_PROVIDER": "SMTP", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}


def ingress_port(mailer: RunningMailer) -> int:
    lines = until(
        lambda: [line for line in mailer.logged() if line["event"] == "ingress_listens"], "the ingress listens"
    )
    return int(lines[0]["port"])


def environment(folder: Path, provider_port: int, **variables: str) -> dict[str, str]:
    """Mailer's, on a database that is made first."""
    database, broker = (f"sqlite:///{folder / name}.sqlite3" for name in ("mailer", "broker"))
    own = IMPATIENT | {"SMTP_PORT": str(provider_port), "INGRESS_PORT": "0"} | variables
    environ = settings(database, broker, **own)
    assert run("migrate", environ=environ).returncode == 0
    return environ


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with (
        running_sink(tmp_path) as sink,
        TcpProxy(sink.port) as provider,
        started(environment(tmp_path, provider.port, **LOGIN)) as mailer,
        TcpProxy(ingress_port(mailer)) as watched,
    ):
        yield Scene(tmp_path, mailer, sink, watched, provider)


def sign_up(running: RunningMonolith, user: dict[str, str]) -> int:
    return Client(running.host, running.port).post("/user", user).status


def somebody() -> dict[str, str]:
    name = fresh_name()
    return {"username": name, "password": SECRET, "email": f"{name}@example.org"}


def taken_by(sink: RunningSink, count: int) -> list[tuple[tuple[str, ...], bytes]]:
    taken = until(lambda: len(sink.taken()) >= count and sink.taken(), f"{count} mails are at the provider")
    return [(mail.recipients, mail.raw) for mail in taken or []]


def test_without_the_ingress_a_mail_server_that_is_away_ends_the_monolith(tmp_path: Path) -> None:
    with TcpProxy(1) as away:
        away.refuses = True
        with running_monolith(tmp_path / "monolith.sqlite3", seed="demo", environ=smtp(away.port)) as running:
            with pytest.raises((HTTPException, ConnectionError)):
                sign_up(running, somebody())
            assert running.process.wait(20) == 1


def test_with_the_ingress_a_provider_that_is_away_ends_nothing_and_the_mail_arrives_byte_for_byte(scene: Scene) -> None:
    scene.provider.refuses = True
    users = [somebody(), somebody() | {"username": f"é<{fresh_name()[-8:]}"}]
    with scene.monolith() as running:
        assert [sign_up(running, user) for user in users] == [201, 201]
        until(lambda: len(scene.mails()) == 2, "Mailer has both mails")
        until(lambda: len(scene.handed_over()) == 2, "both messages were seen on their way")
        assert scene.sink.taken() == []
        assert running.process.poll() is None
        assert Client(running.host, running.port).get("/health").status == 200
        scene.provider.heal()
        arrived = taken_by(scene.sink, 2)
    assert sorted(to for to, _ in arrived) == sorted((user["email"],) for user in users)
    assert sorted(raw for _, raw in arrived) == sorted(scene.handed_over())
    until(lambda: {mail["state"] for mail in scene.mails()} == {"sent"}, "both are sent")


@pytest.mark.parametrize("email", ['"@b.co', "a\u200bb@example.org"])
def test_who_signs_up_with_what_nobody_can_be_mailed_at_ends_nothing(scene: Scene, email: str) -> None:
    """The monolith's validator takes these; a mail server that refuses them would end its process (C11)."""
    with scene.monolith() as running:
        assert sign_up(running, somebody() | {"email": email}) == 201
        until(lambda: [mail["state"] for mail in scene.mails()] == ["failed"], "the mail has failed")
        assert running.process.poll() is None
        assert sign_up(running, somebody()) == 201
        assert len(taken_by(scene.sink, 1)) == 1
    [failed] = [mail for mail in scene.mails() if mail["state"] == "failed"]
    assert "5.1.3 Mailer: " in failed["reason"]
