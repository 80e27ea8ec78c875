"""`polycode mails` against a running Mailer: what it prints, and its exit codes."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.mail.smtp_faults import DOT, RCPT, Fault
from tests.support.system.waiting import until
from tests.unit.extracted.cli.polycode import REFUSED, UNREACHABLE, USAGE, Polycode
from tests.unit.extracted.mailer.databases import on_sqlite
from tests.unit.extracted.mailer.running import OPERATOR, RunningMailer, running_mailer, running_sink

pytestmark = pytest.mark.walk


@dataclass(frozen=True)
class Operated(Polycode):
    mailer: RunningMailer

    def mail(self, state: str, recipient: str, **changes: object) -> str:
        """One that has come to rest there."""
        id = str(self.mailer.mail(uuid.uuid4().hex, recipient, **changes)["id"])
        until(lambda: self.mailer.json("GET", f"/mails/{id}")["state"] == state, f"it is {state}")
        return id


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """A provider that knows nobody at bad.example, and takes mails for lost.example without a word."""
    folder = tmp_path_factory.mktemp("mails")
    broker = f"sqlite:///{folder / 'broker.sqlite3'}"
    with running_sink(folder) as sink, running_mailer(on_sqlite(folder), broker, **sink.settings) as mailer:
        sink.set(
            Fault(RCPT, code=550, text="5.1.1 \x1b[31mno such user", only="@bad.example"),
            Fault(RCPT, code=450, text="4.2.1 later", only="@slow.example"),
            Fault(DOT, "drop", takes=True, only="@lost.example"),
        )
        environ = {"LOGNAME": "ada", "POLYCODE_OPERATOR_TOKEN": OPERATOR}
        environ |= {f"POLYCODE_{name}_URL": "http://127.0.0.1:1" for name in ("ACCOUNT", "SHOP")}
        yield Operated(environ | {"POLYCODE_MAILER_URL": f"http://127.0.0.1:{mailer.port}"}, mailer)


def test_mails_are_listed_by_state_and_address(operated: Operated) -> None:
    id = operated.mail("sent", "ada@example.org")
    found = operated.json("mails", "list", "--state", "SENT", "--state", "failed", "--recipient", "ada@example.org")
    assert [(one["id"], one["state"]) for one in found["mails"]] == [(id, "sent")]
    shown = operated.shown("mails", "list", "--kind", "verify_account", "--limit", "1")
    assert "verify_account" in shown
    [first] = re.findall("--after (.*)", operated.shown("mails", "list", "--limit", "1"))
    assert first not in operated.shown("mails", "list", "--after", first)
    assert "no mails found" in operated.shown("mails", "list", "--state", "cancelled", "--kind", "raw")


def test_one_is_shown_with_its_history_and_steers_no_terminal(operated: Operated) -> None:
    id = operated.mail("failed", "nobody@bad.example")
    shown = operated.shown("mails", "show", id)
    assert ("queued" in shown, "no such user" in shown, "\x1b" in shown) == (True, True, False)
    assert "tell-nobody" not in shown + operated.shown("mails", "show", id, "--json")


def test_what_waits_is_cancelled_and_queued_again_and_the_history_tells_who(operated: Operated) -> None:
    id = operated.mail("deferred", "ada@slow.example")
    assert "cancelled" in operated.shown("mails", "cancel", id, "--why", "by mistake")
    [retried] = operated.json("mails", "retry", id, "--why", "it was right")["mails"]
    assert retried["state"] == "queued"
    history = operated.json("mails", "show", id)["history"]
    acted = [(line["detail"], line["by"]) for line in history if line["by"]]
    assert acted == [("by mistake", "ada"), ("it was right", "ada")]


def test_several_are_changed_at_once_up_to_the_first_that_is_refused(operated: Operated) -> None:
    waiting, sent = operated.mail("deferred", "a@slow.example"), operated.mail("sent", "b@example.org")
    done = operated.run("mails", "cancel", waiting, sent, "--why", "both", "--json")
    assert done.returncode == REFUSED
    assert [one["id"] for one in json.loads(done.stdout)["mails"]] == [waiting]
    assert "the mail is sent" in json.loads(done.stderr)["error"]


def test_an_ambiguous_one_is_decided(operated: Operated) -> None:
    kind = {"kind": "team_left", "variables": {"username": "ada", "team": "blue"}}
    id = operated.mail("ambiguous", "ada@lost.example", **kind)
    refused = operated.refused("mails", "decide", id, "--outcome", "maybe", "--why", "x", code=USAGE)
    assert '"again"' in refused
    assert "sent" in operated.shown("mails", "decide", id, "--outcome", "sent", "--why", "the provider has it")


def test_what_the_gateways_page_offers_for_ambiguous_ones_warns_and_decides_them(operated: Operated) -> None:
    kind = {"kind": "team_left", "variables": {"username": "ada", "team": "blue"}}
    ids = [operated.mail("ambiguous", "ada@lost.example", **kind) for _ in range(2)]
    queues = {one["name"]: one for one in operated.mailer.json("GET", "/internal/queues")["queues"]}
    actions = queues["ambiguous mails"]["actions"]
    assert [(one["name"], "arrives twice" in one["warns"]) for one in actions] == [("retry", True), ("drop", False)]
    for id, action, state in zip(ids, actions, ("queued", "sent"), strict=True):
        answer = operated.mailer.ask("POST", action["path"].replace("{id}", id), OPERATOR, {"why": "x", "by": "ada"})
        assert (answer.status, json.loads(answer.body)["state"]) == (200, state)
        assert "ada" in {line["by"] for line in operated.mailer.json("GET", f"/mails/{id}")["history"]}


def test_a_kind_is_previewed_in_a_language_as_two_files(operated: Operated, tmp_path: Path) -> None:
    assert operated.shown("mails", "preview", "verify_account", "--locale", "fr", "--out", str(tmp_path)).strip()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["verify_account.fr.html", "verify_account.fr.txt"]
    assert "<html" in (tmp_path / "verify_account.fr.html").read_text()
    assert "https://polycode.example/" in (tmp_path / "verify_account.fr.txt").read_text()


def test_suppressed_addresses_are_listed_and_lifted(operated: Operated) -> None:
    assert "no address is suppressed" in operated.shown("mails", "suppressions")
    for _ in range(3):
        operated.mail("failed", "gone@bad.example")
    operated.mail("suppressed", "gone@bad.example")
    assert "gone@bad.example" in operated.shown("mails", "suppressions")
    [one] = operated.json("mails", "suppressions")["suppressions"]
    assert one["recipient"] == "gone@bad.example"
    lift = ("mails", "lift", "gone@BAD.example", "--why", "the mailbox is back")
    assert "is no longer suppressed" in operated.shown(*lift)
    assert "is not suppressed" in operated.refused(*lift)


def test_status_and_dead_letters_know_mailer_and_go_on_where_others_are_away(operated: Operated) -> None:
    status = operated.run("status")
    assert (status.returncode, "mailer" in status.stdout) == (UNREACHABLE, True)
    assert "POLYCODE_SHOP_URL" in status.stderr
    listed = operated.run("dead-letters", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (UNREACHABLE, {"mailer": []})
    assert operated.json("dead-letters", "groups", "--service", "mailer") == {"mailer": []}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("mails show ../internal/status", USAGE, "may only have"),
        ("mails show 00000000-0000-4000-8000-000000000000", REFUSED, "no such mail"),
        ("mails list --state lost", USAGE, "state"),
        ("mails preview nothing", REFUSED, "nothing"),
        ("mails preview team_left --locale x.y", USAGE, "may only have"),
        ("mails preview team_left --out /nowhere/at/all", USAGE, "cannot be written"),
        ("mails cancel x", USAGE, "--why"),
        ("mails lift nobody --why x", USAGE, "@"),
    ],
)
def test_a_wrong_word_is_told_without_a_trace(operated: Operated, words: str, code: int, said: str) -> None:
    assert said in operated.refused(*words.split(), code=code)
