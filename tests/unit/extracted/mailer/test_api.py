"""The HTTP API as services and operators meet it: one process, one database, no provider that answers."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from chassis.service.operators_status import read
from extracted.mailer.api import application as api
from extracted.mailer.domain import MailState
from tests.unit.extracted.mailer.databases import BOTH
from tests.unit.extracted.mailer.running import INTERNAL, OPERATOR, VARIABLES, RunningMailer, running_mailer
from tests.unit.extracted.running import Answer

pytestmark = pytest.mark.walk

WHY = {"why": "by mistake", "by": "ada"}
NOBODY = str(uuid.UUID(int=4))


@pytest.fixture(scope="module", params=BOTH)
def mailer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMailer]:
    """Nothing is sent: mails stay where they are."""
    folder: Path = tmp_path_factory.mktemp("api")
    broker = f"sqlite:///{folder / 'broker.sqlite3'}"
    with running_mailer(request.param(folder), broker, SENDERS="0") as running:
        yield running


def fresh() -> str:
    return uuid.uuid4().hex


def error(answer: Answer) -> str:
    said = json.loads(answer.body)
    assert set(said) == {"error"}
    return str(said["error"])


def post(mailer: RunningMailer, body: object, key: str | None = None) -> Answer:
    keys = {} if key == "" else {"Idempotency_Key": key or fresh()}
    return mailer.ask("POST", "/mails", INTERNAL, body, **keys)


def wanted(**changes: object) -> dict[str, object]:
    return {"kind": "verify_account", "recipient": "ada@example.org", "variables": VARIABLES} | changes


def test_a_mail_that_is_asked_for_is_accepted_and_found_where_it_says(mailer: RunningMailer) -> None:
    answer = post(mailer, wanted(locale="fr-CA", recipient="Ada@EXAMPLE.org"))
    said = json.loads(answer.body)
    assert (answer.status, said["state"]) == (202, "queued")
    found = mailer.json("GET", answer.headers["location"], INTERNAL)
    assert (found["id"], found["locale"], found["recipient"]) == (said["id"], "fr", "Ada@example.org")
    assert [line["state"] for line in found["history"]] == ["queued"]


def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(mailer: RunningMailer) -> None:
    key = fresh()
    first, again = post(mailer, wanted(), key), post(mailer, wanted(), key)
    assert (again.status, again.body, again.headers["location"]) == (202, first.body, first.headers["location"])
    other = post(mailer, wanted(variables={"username": "ada", "token": "other"}), key)
    assert other.status == 409
    assert "Idempotency-Key" in error(other)


def test_what_stands_in_a_mail_is_shown_to_nobody_and_logged_nowhere(mailer: RunningMailer) -> None:
    secret = fresh()
    id = mailer.mail(fresh(), variables={"username": "ada", "token": secret})["id"]
    post(mailer, wanted(variables={"username": secret, "unknown": secret}))
    for target in (f"/mails/{id}", "/mails", "/internal/status", "/internal/parked"):
        assert secret.encode() not in mailer.ask("GET", target).body
    assert secret not in mailer.log.read_text()


@pytest.mark.parametrize(
    ("body", "said"),
    [
         (b"{", "not JSON"), (b"[" * 100_000, "not JSON"), (b"\xff", "not JSON"), ([], "an object"),
         ({"kind": "verify_account", "recipient": "ada@example.org"}, "variables"), (wanted(kind=7), "kind"),
         (wanted(kind="x\n"), "kind"), (wanted(kind="none"), "verify_account"), (wanted(recipient="ada"), "no @"),
         (wanted(recipient="ada@example.org\r\nBcc: all@example.org"), "recipient"),
         (wanted(recipient="a\u0000@example.org"), "recipient"), (wanted(locale=7), "locale"),
         (wanted(locale="not a locale"), "locale"), (wanted(variables={"username": "ada"}), "token"),
         (wanted(variables={"username": "ada", "token": 7}), "token"),
         (wanted(variables=VARIABLES | {"more": "x"}), "more"),
         (wanted(variables={"username": "\ud800", "token": "t"}), "username"), (wanted(more="x"), "unknown"),
         (wanted(variables={"username": "x" * 300_000, "token": "t"}), "bytes"),
    ],
)  # fmt: skip
def test_a_request_that_is_not_right_is_refused_with_a_sentence(mailer: RunningMailer, body: object, said: str) -> None:
    answer = post(mailer, body)
    assert answer.status == (413 if said == "bytes" else 400), answer
    assert said in error(answer)


@pytest.mark.parametrize("key", ["", "x" * 201, "two words", "käse"])
def test_a_key_is_wanted_of_visible_ascii(mailer: RunningMailer, key: str) -> None:
    answer = post(mailer, wanted(), key)
    assert (answer.status, "Idempotency-Key" in error(answer)) == (400, True)


@pytest.mark.parametrize("target", ["/mails/none", f"/mails/{NOBODY}", "/mails/%00"])
def test_what_is_not_there_is_404(mailer: RunningMailer, target: str) -> None:
    assert mailer.ask("GET", target).status == 404
    assert mailer.ask("POST", f"{target}/cancel", body=WHY).status == 404


def test_mails_are_listed_by_state_kind_and_recipient_page_by_page(mailer: RunningMailer) -> None:
    recipient = f"{fresh()}@example.org"
    ids = [mailer.mail(fresh(), recipient)["id"] for _ in range(3)]
    mailer.json("POST", f"/mails/{ids[0]}/cancel", body=WHY)
    first = mailer.json("GET", f"/mails?recipient={recipient}&limit=2")
    rest = mailer.json("GET", f"/mails?recipient={recipient}&limit=2&after={first['next']}")
    assert [one["id"] for one in first["mails"] + rest["mails"]] == ids[::-1]
    assert rest["next"] is None
    [cancelled] = mailer.json("GET", f"/mails?recipient={recipient}&state=cancelled&state=sent")["mails"]
    assert cancelled["id"] == ids[0]
    assert mailer.json("GET", f"/mails?recipient={recipient}&kind=team_left")["mails"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "state=lost", "after=x", "kind=%00", "recipient=%00", "recipient=x"]
)
def test_a_list_that_cannot_be_is_refused(mailer: RunningMailer, query: str) -> None:
    answer = mailer.ask("GET", f"/mails?{query}")
    assert answer.status == 400
    assert error(answer)


def test_a_change_is_kept_in_the_history_and_logged_with_who_and_why(mailer: RunningMailer) -> None:
    id = mailer.mail(fresh())["id"]
    assert mailer.json("POST", f"/mails/{id}/cancel", body=WHY)["state"] == "cancelled"
    assert mailer.json("POST", f"/mails/{id}/retry", body={"why": "it was right"})["state"] == "queued"
    history = mailer.json("GET", f"/mails/{id}")["history"]
    assert [(line["state"], line["detail"], line["by"]) for line in history][1:] == [
        ("cancelled", "by mistake", "ada"),
        ("queued", "it was right", "an operator"),
    ]
    logged = [(line["event"], line["by"], line["why"]) for line in mailer.logged() if line.get("mail_id") == id]
    assert logged == [("mail_cancelled", "ada", "by mistake"), ("mail_retried", "an operator", "it was right")]


@pytest.mark.parametrize("word", ["cancel", "retry", "decide"])
@pytest.mark.parametrize(
    "body",
    [b"{", {}, {"why": " "}, {"why": "x" * 501}, {"why": "x\ny"}, {"why": "x", "by": 7}, {"why": "x", "more": 1}],
)
def test_a_change_without_a_proper_reason_is_refused(mailer: RunningMailer, word: str, body: object) -> None:
    answer = mailer.ask("POST", f"/mails/{NOBODY}/{word}", body=body)
    assert answer.status == 400
    assert error(answer)


def test_kinds_are_named_and_previewed_with_their_samples(mailer: RunningMailer) -> None:
    kinds = mailer.json("GET", "/mails/kinds")["kinds"]
    assert "verify_account" in kinds
    for kind in kinds:
        seen = mailer.json("GET", f"/mails/preview/{kind}?locale=fr")
        assert seen["subject"]
        assert seen["text"]
        assert "https://polycode.example/" in seen["html"]
    assert mailer.ask("GET", "/mails/preview/none").status == 404
    assert mailer.ask("GET", "/mails/preview/team_left?locale=...").status == 400


def test_the_status_and_the_metrics_count_mails_and_tell_of_consumers_and_provider(mailer: RunningMailer) -> None:
    mailer.mail(fresh())
    status = mailer.json("GET", "/internal/status")
    assert set(status["mails"]) == set(MailState)
    assert status["oldestDueS"] > 0
    assert status["provider"] == {"isAway": False, "senders": 0}
    assert status["consumer"] == {"queue": "mailer.requests", "isConsuming": True, "held": 0, "reason": None}
    answer = mailer.ask("GET", "/metrics", token=None)
    read = {family.name: family.samples for family in text_string_to_metric_families(answer.body.decode())}
    assert {sample.labels["state"]: sample.value for sample in read["mailer_mails"]} == status["mails"]
    assert read["mailer_oldest_due_seconds"][0].value > 0


def test_services_may_ask_and_look_at_one_and_operators_may_all(mailer: RunningMailer) -> None:
    id = mailer.mail(fresh())["id"]
    for method, path in served():
        target = path.replace("{id}", id).replace("{kind}", "team_left")
        opened = mailer.ask(method, target, OPERATOR, None if method == "GET" else b"{}").status
        assert opened in (200, 400, 404), (method, path, opened)
        by_service = mailer.ask(method, target, INTERNAL, None if method == "GET" else b"{}").status
        assert (by_service == 401) == ((method, path) not in {("POST", "/mails"), ("GET", "/mails/{id}")})
        for token in (None, "guessed", ""):
            assert mailer.ask(method, target, token, b"{}").status == 401


def served() -> set[tuple[str, str]]:
    nothing: Any = type("Nothing", (), {"__getattr__": lambda self, name: self})()
    return {(method, path) for method, path, _ in (*api.for_services(nothing), *api.for_operators(nothing))}


def test_what_is_described_is_what_is_served_and_every_reference_leads_somewhere() -> None:
    document = yaml.safe_load(api.DOCUMENT.read_text())
    described = {(m.upper(), p) for p, item in document["paths"].items() for m in item if m in ("get", "post")}
    assert described == {(method, path) for method, path in served() if path.startswith("/mails")}
    used = set(re.findall(r'"#/components/(\w+/\w+)"', json.dumps(document)))
    assert used == {f"{kind}/{name}" for kind, named in document["components"].items() for name in named} - {
        "securitySchemes/service", "securitySchemes/operator"
    }  # fmt: skip


def test_the_description_is_served(mailer: RunningMailer) -> None:
    document = json.loads(mailer.ask("GET", "/openapi.json", token=None).body)
    shown = mailer.json("GET", f"/mails/{mailer.mail(fresh())['id']}")
    assert set(document["components"]["schemas"]["WholeMail"]["properties"]) == set(shown)


def test_the_gateways_page_is_told_of_mails_without_their_addresses(mailer: RunningMailer) -> None:
    key = fresh()
    asked = json.loads(post(mailer, wanted(recipient=f"{key}@example.org"), key).body)
    answer = mailer.ask("GET", "/internal/queues")
    queues = {one.name: one for one in read(answer.body)}
    assert queues["mails"].waiting >= 1
    assert [action.path for action in queues["failed mails"].actions] == ["/mails/{id}/retry"]
    assert key not in answer.body.decode()
    assert asked["id"] not in {one.id for queue in queues.values() for one in queue.parked}  # it is not parked
    assert mailer.ask("GET", "/internal/queues", INTERNAL).status == 401
