"""From a request in a queue, or by SMTP, to the provider's 250; embedded and on real parts."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from smtplib import SMTP
from typing import Any

import pytest

from tests.support.connected import fresh_rabbit
from tests.support.system.waiting import until
from tests.unit.extracted.mailer.databases import on_postgres, on_sqlite
from tests.unit.extracted.mailer.running import (
    RunningMailer,
    RunningSink,
    published,
    request,
    running_mailer,
    running_sink,
)

pytestmark = pytest.mark.walk

OpenUrl = Callable[[Path], str]


def sqlite_broker(folder: Path) -> str:
    return f"sqlite:///{folder / 'broker.sqlite3'}"


def rabbit(_folder: Path) -> str:
    return fresh_rabbit()


@dataclass(frozen=True)
class Running:
    """Shared by all tests here: each has ids and addresses of its own."""

    mailer: RunningMailer
    sink: RunningSink
    broker_url: str

    def publish(self, *requests: Any) -> None:
        asyncio.run(published(self.broker_url, *requests))

    def sent(self, recipient: str) -> Any:
        """The only mail to this address, when it is sent."""
        [mail] = until(lambda: self.mailer.json("GET", f"/mails?recipient={recipient}&state=sent")["mails"], recipient)
        return mail

    def got(self, recipient: str) -> list[bytes]:
        return [one.raw for one in self.sink.taken() if recipient in one.recipients]

    def failed_message(self, message_id: str) -> Any:
        def find() -> list[Any]:
            rows = self.mailer.json("GET", "/internal/parked")["parked"]
            return [row for row in rows if row["messageId"] == message_id]

        [row] = until(find, "it is a failed message")
        return row


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((on_sqlite, sqlite_broker), id="embedded"),
        pytest.param((on_postgres, rabbit), id="real parts", marks=pytest.mark.connected),
    ],
)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("service")
    openers: tuple[OpenUrl, OpenUrl] = request.param
    database, broker = (open_url(folder) for open_url in openers)
    with running_sink(folder) as sink, running_mailer(database, broker, INGRESS_PORT="0", **sink.settings) as mailer:
        yield Running(mailer, sink, broker)


@pytest.fixture
def recipient() -> str:
    return f"{uuid.uuid4().hex}@example.org"


def test_a_request_in_the_queue_is_sent_once_however_often_it_comes(running: Running, recipient: str) -> None:
    wanted = request(str(uuid.uuid4()), recipient=recipient, locale="fr")
    running.publish(wanted, wanted)
    mail = running.sent(recipient)
    running.publish(wanted, request(str(uuid.uuid4()), recipient=f"other-{recipient}"))
    running.sent(f"other-{recipient}")
    assert (mail["key"], mail["locale"]) == (f"message:{wanted.id}", "fr")
    assert len(running.got(recipient)) == 1


def test_a_request_that_cannot_be_accepted_is_a_failed_message_until_it_is_tried_again(
    running: Running, recipient: str
) -> None:
    first = request(str(uuid.uuid4()), recipient=recipient)
    running.publish(first)
    running.sent(recipient)
    running.publish(request(first.id, recipient=f"other-{recipient}"))
    failed = running.failed_message(first.id)
    assert ("another mail" in failed["reason"], failed["nextAttemptAt"]) == (True, None)
    body = {"ids": [failed["id"]], "why": "to see"}
    assert running.mailer.json("POST", "/internal/parked/redrive", body=body) == {"count": 1}
    until(lambda: running.failed_message(first.id)["attempts"] == 1, "it was tried")


def test_a_mail_by_smtp_goes_out_byte_for_byte(running: Running, recipient: str) -> None:
    content = f"Message-ID: <{uuid.uuid4().hex}@x>\r\nSubject: =?odd\r\n\r\n.dot\r\nline\r\n".encode()
    [port] = until(
        lambda: [e["port"] for e in running.mailer.logged() if e["event"] == "ingress_listens"], "it listens"
    )
    with SMTP("127.0.0.1", port) as client:
        client.sendmail("monolith@example.org", [recipient, f"b-{recipient}"], content)
    for one in (recipient, f"b-{recipient}"):
        assert running.sent(one)["kind"] == "raw"
        assert running.got(one) == [content]
