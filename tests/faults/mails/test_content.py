"""F33: what can never be a mail is refused when it is accepted, and nothing of it reaches a header."""

import json
import uuid
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from tests.support.system.mailing import AGAIN, ONCE, MailScene
from tests.support.system.waiting import until

INJECTED = "ada\r\nBcc: everybody@example.org"
BAD: dict[str, dict[str, object]] = {
    "missing variable": {"variables": {"username": "ada"}},
    "unknown variable": {"variables": {"username": "ada", "token": "t", "more": "x"}},
    "wrong type": {"variables": {"username": 7, "token": "t"}},
    "unknown kind": {"kind": "nonsense"},
    "bad locale": {"locale": "../../etc/passwd"},
    "CRLF in the name": {"variables": {"username": INJECTED, "token": "t"}},
    "CRLF in the address": {"recipient": "ada@example.org\r\nRCPT TO:<eve@example.org>"},
    "no address": {"recipient": ""},
    "two addresses": {"recipient": "ada@example.org, eve@example.org"},
    "huge": {"variables": {"username": "a" * 200_000, "token": "t"}},
}


@pytest.mark.parametrize("what", BAD)
def test_f33_by_http_it_is_refused_in_a_sentence(scene: MailScene, what: str) -> None:
    refused = scene.post(scene.body(AGAIN, "ada@example.org") | BAD[what])
    assert refused.status_code in (400, 413), refused.text
    assert refused.json()["error"]
    assert INJECTED not in refused.text
    assert scene.rows() == []


def test_f33_from_the_queue_it_is_parked_with_its_reason_and_the_others_are_sent(scene: MailScene) -> None:
    for change in BAD.values():
        scene.meddler.put("mailer.requests", *_message(scene.body(AGAIN, "ada@example.org") | change))
    scene.request(ONCE, 5)
    assert scene.at_rest().states == {"sent": 5}
    until(lambda: len(_parked(scene)) == len(BAD), "all parked", 30)
    assert all(one["reason"] for one in _parked(scene))


def test_f33_eight_bit_names_arrive_as_they_are(scene: MailScene) -> None:
    name = 'Ærøskøbing 東京 <b>"x"</b>'
    scene.request(ONCE, 1, inviter=name)
    (taken,) = scene.at_rest().taken
    message = message_from_bytes(taken.raw, policy=policy.default)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert name in text.get_content()
    assert "<b>" not in html.get_content()
    assert message["Bcc"] is None
    assert max(map(len, taken.raw.split(b"\r\n"))) <= 998


def _message(body: object) -> tuple[dict[str, object], bytes]:
    properties: dict[str, object] = {"id": str(uuid.uuid4()), "type": "mail.requested.v1"}
    return properties | {"time": datetime.now(UTC).isoformat()}, json.dumps(body).encode()


def _parked(scene: MailScene) -> list[dict[str, object]]:
    parked: list[dict[str, object]] = scene.ask("GET", "/internal/parked").json()["parked"]
    return parked
