"""From a request in a queue to the provider's 250, and back from what an operator does; embedded and on real parts."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from smtplib import SMTP
from typing import Any

import pytest

from tests.support.connected import fresh_rabbit
from tests.support.smtp_faults import RCPT, Fault
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


def sqlite_broker(folder: Path) -> str:
    return f"sqlite:///{folder / 'broker.sqlite3'}"


def rabbit(_folder: Path) -> str:
    return fresh_rabbit()


@dataclass(frozen=True)
class House:
    """Shared by all tests here: each has ids and addresses of its own."""

    mailer: RunningMailer
    sink: RunningSink
    broker_url: str
    ingress_port: int

    def publish(self, *requests: Any) -> None:
        asyncio.run(published(self.broker_url, *requests))

    def state(self, id: str) -> str:
        return str(self.mailer.json("GET", f"/mails/{id}")["state"])

    def reaches(self, id: str, state: str) -> Any:
        until(lambda: self.state(id) == state, f"{id} is {state}, not {self.state(id)}")
        return self.mailer.json("GET", f"/mails/{id}")

    def to(self, recipient: str) -> Any:
        """The only mail to this address, when it is there."""
        target = f"/mails?recipient={recipient}"
        [mail] = until(lambda: self.mailer.json("GET", target)["mails"], f"there is a mail to {recipient}")
        return mail

    def got(self, recipient: str) -> list[bytes]:
        return [one.raw for one in self.sink.taken() if recipient in one.recipients]


OpenUrl = Callable[[Path], str]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((on_sqlite, sqlite_broker), id="embedded"),
        pytest.param((on_postgres, rabbit), id="real parts", marks=pytest.mark.connected),
    ],
)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("service")
    openers: tuple[OpenUrl, OpenUrl] = request.param
    database, broker = (open_url(folder) for open_url in openers)
    with (
        running_sink(folder) as sink,
        running_mailer(database, broker, INGRESS_PORT="0", **sink.settings) as mailer,
    ):
        [port] = until(lambda: [line["port"] for line in mailer.logged() if line["event"] == "ingress_listens"], "")
        yield House(mailer, sink, broker, port)


@pytest.fixture
def recipient() -> str:
    return f"{uuid.uuid4().hex}@example.org"


def test_a_request_in_the_queue_is_sent_once_however_often_it_comes(house: House, recipient: str) -> None:
    wanted = request(str(uuid.uuid4()), recipient=recipient, locale="fr")
    house.publish(wanted, wanted)
    mail = house.to(recipient)
    house.reaches(mail["id"], "sent")
    house.publish(wanted)
    other = request(str(uuid.uuid4()), recipient=f"other-{recipient}")
    house.publish(other)
    house.reaches(house.to(f"other-{recipient}")["id"], "sent")
    assert (mail["key"], mail["locale"]) == (f"message:{wanted.id}", "fr")
    assert len(house.got(recipient)) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
         ({"kind": "none"}, "no kind of mail"), ({"recipient": "nobody"}, "no @"),
         ({"recipient": '"unclosed@example.org'}, "before the @"),
         ({"recipient": "ada\u200b@example.org"}, "invisible"), ({"variables": {}}, "username"),
         ({"variables": "text"}, "variables as an object"),
    ],
)  # fmt: skip
def test_a_request_that_can_never_be_right_is_parked_with_its_reason(
    house: House, recipient: str, changes: dict[str, object], reason: str
) -> None:
    wrong = request(str(uuid.uuid4()), **({"recipient": recipient} | changes))
    house.publish(wrong)
    parked = parked_one(house, wrong.id)
    assert reason in parked["reason"]
    assert parked["nextAttemptAt"] is None


def parked_one(house: House, message_id: str) -> Any:
    def find() -> list[Any]:
        rows = house.mailer.json("GET", "/internal/parked")["parked"]
        return [row for row in rows if row["messageId"] == message_id]

    [row] = until(find, "it is parked")
    return row


def test_a_message_that_says_something_else_under_a_used_id_is_parked(house: House, recipient: str) -> None:
    first = request(str(uuid.uuid4()), recipient=recipient)
    house.publish(first)
    house.to(recipient)
    house.publish(request(first.id, recipient=f"other-{recipient}"))
    parked = parked_one(house, first.id)
    assert ("another mail" in parked["reason"], parked["nextAttemptAt"]) == (True, None)


def test_a_parked_request_that_is_tried_again_is_one_mail(house: House, recipient: str) -> None:
    """Through its key: what was done already is not done twice."""
    wrong = request(str(uuid.uuid4()), recipient=recipient, kind="none")
    house.publish(wrong)
    parked = parked_one(house, wrong.id)
    body = {"ids": [parked["id"]], "why": "to see"}
    assert house.mailer.json("POST", "/internal/parked/redrive", body=body) == {"count": 1}
    until(lambda: parked_one(house, wrong.id)["attempts"] == 1, "it was tried")
    house.mailer.json("POST", "/internal/parked/discard", body=body)


def test_a_mail_by_smtp_goes_out_byte_for_byte(house: House, recipient: str) -> None:
    content = f"Message-ID: <{uuid.uuid4().hex}@x>\r\nSubject: =?odd\r\n\r\n.dot\r\nline\r\n".encode()
    with SMTP("127.0.0.1", house.ingress_port) as client:
        client.sendmail("monolith@example.org", [recipient, f"b-{recipient}"], content)
    for one in (recipient, f"b-{recipient}"):
        mail = house.to(one)
        assert house.reaches(mail["id"], "sent")["kind"] == "raw"
        assert house.got(one) == [content]


def test_an_address_that_bounces_is_suppressed_until_an_operator_lifts_it(house: House, recipient: str) -> None:
    house.sink.set(Fault(RCPT, code=550, text="5.1.1 no such user", only=recipient))
    for _ in range(3):
        house.reaches(house.mailer.mail(uuid.uuid4().hex, recipient)["id"], "failed")
    barred = house.mailer.mail(uuid.uuid4().hex, recipient)["id"]
    assert "bounced too often" in house.reaches(barred, "suppressed")["reason"]
    house.sink.set()
    listed = house.mailer.json("GET", "/mails/suppressions")["suppressions"]
    assert recipient in [one["recipient"] for one in listed]
    body = {"recipient": recipient, "why": "it works again", "by": "ada"}
    assert house.mailer.json("POST", "/mails/suppressions/lift", body=body) == {"lifted": True}
    house.mailer.json("POST", f"/mails/{barred}/retry", body={"why": "lifted"})
    house.reaches(barred, "sent")
    assert [line["by"] for line in house.mailer.logged() if line["event"] == "suppression_lifted"][-1] == "ada"
