"""`polycode mails`: what an operator types, against a running Mailer; what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.smtp_faults import DOT, RCPT, Fault
from tests.support.system.waiting import until
from tests.unit.extracted.mailer.databases import on_sqlite
from tests.unit.extracted.mailer.running import OPERATOR, ROOT, RunningMailer, RunningSink, running_mailer, running_sink

pytestmark = pytest.mark.walk

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


@dataclass(frozen=True)
class Operated:
    mailer: RunningMailer
    sink: RunningSink

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        own = {"POLYCODE_MAILER_URL": f"http://127.0.0.1:{self.mailer.port}", "LOGNAME": "ada"}
        own |= {f"POLYCODE_{name}_URL": "http://127.0.0.1:1" for name in ("ACCOUNT", "SHOP")}
        own |= {"PATH": os.environ["PATH"], "POLYCODE_OPERATOR_TOKEN": OPERATOR} | environ
        command = [sys.executable, "-m", "extracted", *words]
        return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=60)

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == DONE, done.stderr
        return json.loads(done.stdout)

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
        yield Operated(mailer, sink)


def test_mails_are_listed_by_state_and_address(operated: Operated) -> None:
    id = operated.mail("sent", "ada@example.org")
    found = operated.json("mails", "list", "--state", "SENT", "--state", "failed", "--recipient", "ada@example.org")
    assert [(one["id"], one["state"]) for one in found["mails"]] == [(id, "sent")]
    shown = operated.run("mails", "list", "--kind", "verify_account", "--limit", "1").stdout
    assert "… and more" in operated.run("mails", "list", "--limit", "1").stdout
    assert "verify_account" in shown
    assert "no such mails" in operated.run("mails", "list", "--state", "cancelled", "--kind", "raw").stdout


def test_one_is_shown_with_its_history_and_steers_no_terminal(operated: Operated) -> None:
    id = operated.mail("failed", "nobody@bad.example")
    shown = operated.run("mails", "show", id)
    assert "queued" in shown.stdout
    assert "no such user" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "tell-nobody" not in shown.stdout + operated.run("mails", "show", id, "--json").stdout


def test_what_waits_is_cancelled_and_queued_again_and_the_history_tells_who(operated: Operated) -> None:
    id = operated.mail("deferred", "ada@slow.example")
    done = operated.run("mails", "cancel", id, "--why", "by mistake")
    assert (done.returncode, "cancelled" in done.stdout) == (DONE, True)
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
    assert "the mail is sent; this can be done where it is queued or deferred" in json.loads(done.stderr)["error"]


def test_an_ambiguous_one_is_decided(operated: Operated) -> None:
    kind = {"kind": "team_left", "variables": {"username": "ada", "team": "blue"}}
    id = operated.mail("ambiguous", "ada@lost.example", **kind)
    done = operated.run("mails", "decide", id, "--outcome", "maybe", "--why", "x")
    assert (done.returncode, 'neither "sent" nor "again"' in done.stderr) == (REFUSED, True)
    done = operated.run("mails", "decide", id, "--outcome", "sent", "--why", "the provider has it")
    assert (done.returncode, "sent" in done.stdout) == (DONE, True)


def test_a_kind_is_previewed_in_a_language_as_two_files(operated: Operated, tmp_path: Path) -> None:
    done = operated.run("mails", "preview", "verify_account", "--locale", "fr", "--out", str(tmp_path))
    assert done.returncode == DONE, done.stderr
    assert done.stdout.strip()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["verify_account.fr.html", "verify_account.fr.txt"]
    assert "<html" in (tmp_path / "verify_account.fr.html").read_text()
    assert "https://polycode.example/" in (tmp_path / "verify_account.fr.txt").read_text()


def test_suppressed_addresses_are_listed_and_lifted(operated: Operated) -> None:
    assert "no address is suppressed" in operated.run("mails", "suppressions").stdout
    for _ in range(3):
        operated.mail("failed", "gone@bad.example")
    operated.mail("suppressed", "gone@bad.example")
    assert "gone@bad.example" in operated.run("mails", "suppressions").stdout
    [one] = operated.json("mails", "suppressions")["suppressions"]
    assert one["recipient"] == "gone@bad.example"
    done = operated.run("mails", "lift", "gone@BAD.example", "--why", "the mailbox is back")
    assert (done.returncode, "is sent to again" in done.stdout) == (DONE, True)
    done = operated.run("mails", "lift", "gone@bad.example", "--why", "once more")
    assert (done.returncode, "is not suppressed" in done.stderr) == (REFUSED, True)


def test_status_and_dead_letters_know_mailer_and_go_on_where_others_are_away(operated: Operated) -> None:
    status = operated.run("status")
    assert status.returncode == UNREACHABLE
    assert "mailer" in status.stdout
    assert "POLYCODE_SHOP_URL" in status.stderr
    listed = operated.run("dead-letters", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (UNREACHABLE, {"mailer": []})
    assert operated.json("dead-letters", "groups", "--service", "mailer") == {"mailer": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mails", "show", "../internal/status"), "other characters"),
        (("mails", "show", "00000000-0000-4000-8000-000000000000"), "no such mail"),
        (("mails", "list", "--state", "lost"), "state is none of"),
        (("mails", "preview", "nothing"), "nothing"),
        (("mails", "preview", "team_left", "--locale", "x.y"), "other characters"),
        (("mails", "preview", "team_left", "--out", "/nowhere/at/all"), "cannot be written"),
        (("mails", "cancel", "x"), "--why"),
        (("mails", "lift", "nobody", "--why", "x"), "no @"),
    ],
)
def test_a_wrong_word_is_told_without_a_trace(operated: Operated, words: tuple[str, ...], said: str) -> None:
    done = operated.run(*words)
    assert done.returncode in (REFUSED, USAGE)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_credential_and_a_mailer_that_is_away_have_codes_of_their_own(operated: Operated) -> None:
    wrong = operated.run("mails", "list", POLYCODE_OPERATOR_TOKEN="guessed")
    assert (wrong.returncode, "POLYCODE_OPERATOR_TOKEN" in wrong.stderr) == (REFUSED, True)
    away = operated.run("mails", "list", POLYCODE_MAILER_URL="http://127.0.0.1:1")
    assert (away.returncode, "POLYCODE_MAILER_URL" in away.stderr) == (UNREACHABLE, True)
