"""`polycode`: what an operator types, against running services; what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.stores import on_sqlite
from tests.support.system.meddling import TablesMeddler
from tests.support.system.processes import ROOT
from tests.support.system.purchasing import OPERATOR, System, system
from tests.support.system.waiting import until

pytestmark = pytest.mark.walk

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


@dataclass(frozen=True)
class Operated:
    """`open_one`: a purchase that the shop does not answer. `status`: what the command said before."""

    system: System
    open_one: str = ""
    status: str = ""

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        own = {"POLYCODE_ACCOUNT_URL": self._url("account"), "POLYCODE_SHOP_URL": self._url("shop")}
        own |= {"PATH": os.environ["PATH"], "POLYCODE_OPERATOR_TOKEN": OPERATOR} | environ
        command = [sys.executable, "-m", "extracted", *words]
        return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=60)

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == DONE, done.stderr
        return json.loads(done.stdout)

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.system.ports[name]}"


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder = tmp_path_factory.mktemp("cli")
    with system(folder, on_sqlite(folder), f"sqlite:///{folder / 'broker.sqlite3'}") as running:
        running.migrate()
        user = running.data.add_user("guest", "user", points=100)
        item = running.data.add_item(cost=30)
        running.start("gateway", "shop", "account")
        bought = running.purchase(running.data.login(user), item)
        assert bought.status in (202, 204), bought
        operated = Operated(running)
        until(lambda: operated.json("purchases", "list", "--state", "completed")["purchases"], "the first is bought")
        status = operated.run("status").stdout
        running.shop.stop()
        running.shop.start(SHOP_BROKER_URL="")  # offers are made, and no command is answered
        other = running.purchase(running.data.login(user), running.data.add_item(cost=20))
        assert other.status in (202, 204), other
        yield Operated(running, other.headers["location"].rpartition("/")[2], status)


def test_the_status_tells_of_both_services(operated: Operated) -> None:
    assert "account  open" in operated.status
    assert "shop " in operated.status
    assert operated.status.count("outbox") == 2


def test_open_purchases_are_listed_by_state_and_age(operated: Operated) -> None:
    found = until(lambda: operated.json("purchases", "list", "--state", "debited")["purchases"], "it is debited")
    assert [(one["id"], one["price"]) for one in found] == [(operated.open_one, 20)]
    assert operated.json("purchases", "list", "--older-than", "1h")["purchases"] == []
    shown = operated.run("purchases", "list")
    assert operated.open_one in shown.stdout
    assert "COMPLETED" in shown.stdout


def test_one_is_shown_with_its_timeline(operated: Operated) -> None:
    shown = operated.run("purchases", "show", operated.open_one)
    assert "debit -20" in shown.stdout
    assert "50 left" in shown.stdout


def test_one_can_be_asked_about_again_and_the_reason_is_kept(operated: Operated) -> None:
    done = operated.run("purchases", "resume", operated.open_one, "--why", "the shop hung")
    assert done.returncode == DONE, done.stderr
    [kept] = operated.json("purchases", "show", operated.open_one)["interventions"]
    assert (kept["action"], kept["why"]) == ("resumed", "the shop hung")
    assert "the shop hung" in operated.run("purchases", "show", operated.open_one).stdout


def test_what_does_not_count_now_is_refused_with_a_sentence(operated: Operated) -> None:
    [bought] = operated.json("purchases", "list", "--state", "completed")["purchases"]
    done = operated.run("purchases", "cancel", bought["id"], "--why", "by mistake")
    assert (done.returncode, "COMPLETED" in done.stderr) == (REFUSED, True)
    done = operated.run("purchases", "refund", bought["id"], "--why", "by mistake")
    assert (done.returncode, "two live rows" in done.stderr) == (REFUSED, True)


def test_the_audit_ends_with_0_where_the_books_hold_and_1_where_not(operated: Operated) -> None:
    done = operated.run("purchases", "audit")
    assert (done.returncode, "no breach" in done.stdout) == (DONE, True)
    [bought] = operated.json("purchases", "list", "--state", "completed")["purchases"]
    charged_too = operated.system.data.add_purchase(bought["userId"], bought["itemId"])
    done = operated.run("purchases", "audit")
    assert (done.returncode, "charged_twice" in done.stdout) == (REFUSED, True)
    done = operated.run("purchases", "refund", bought["id"], "--why", "the monolith charged, too")
    assert done.returncode == DONE, done.stderr
    assert operated.run("purchases", "audit").returncode == DONE
    assert charged_too


def test_a_message_that_nobody_understands_is_shown_grouped_and_tried_again(operated: Operated) -> None:
    broker = TablesMeddler(operated.system.folder / "broker.sqlite3")
    broker.put("account.purchases", {"id": "m-1", "type": "purchase.requested.v1"}, b"{")
    [kept] = until(lambda: operated.json("dead-letters", "list", "--service", "account")["account"], "it is parked")
    assert kept["messageId"] == "m-1"
    groups = operated.run("dead-letters", "groups", "--service", "account").stdout
    assert "account.purchases" in groups
    assert "m-1" in operated.run("dead-letters", "show", kept["id"], "--service", "account").stdout
    done = operated.run("dead-letters", "redrive", "--all", "--service", "account", "--why", "to see")
    assert (done.returncode, "1 of 1" in done.stdout) == (DONE, True)
    until(lambda: operated.json("dead-letters", "list", "--service", "account")["account"], "it is parked again")
    done = operated.run("dead-letters", "discard", kept["id"], "--service", "account", "--why", "nonsense")
    assert done.returncode == DONE, done.stderr
    assert operated.json("dead-letters", "list", "--service", "account")["account"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("purchases", "list", "--older-than", "soon"), "is no time"),
        (("purchases", "list", "--state", "lost"), "state is none of"),
        (("purchases", "show", "../status"), "is a UUID"),
        (("purchases", "show", "00000000-0000-4000-8000-000000000000"), "no such purchase"),
        (("dead-letters", "redrive", "--service", "mail", "--all", "--why", "x"), "is none of account, shop"),
        (("dead-letters", "redrive", "--service", "shop", "--why", "x"), "name ids, or --all"),
    ],
)
def test_a_wrong_word_is_told_without_a_trace(operated: Operated, words: tuple[str, ...], said: str) -> None:
    done = operated.run(*words)
    assert done.returncode in (REFUSED, USAGE)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_credential_and_a_service_that_is_away_have_codes_of_their_own(operated: Operated) -> None:
    wrong = operated.run("purchases", "list", POLYCODE_OPERATOR_TOKEN="guessed")
    assert (wrong.returncode, "POLYCODE_OPERATOR_TOKEN" in wrong.stderr) == (REFUSED, True)
    away = operated.run("purchases", "list", POLYCODE_ACCOUNT_URL="http://127.0.0.1:1")
    assert (away.returncode, "POLYCODE_ACCOUNT_URL" in away.stderr) == (UNREACHABLE, True)


def test_the_credential_may_lie_in_a_file(operated: Operated, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{OPERATOR}\n")
    in_file = {"POLYCODE_OPERATOR_TOKEN": "", "POLYCODE_OPERATOR_TOKEN_FILE": str(tmp_path / "token")}
    assert operated.run("purchases", "list", **in_file).returncode == DONE
    gone = operated.run(
        "purchases", "list", POLYCODE_OPERATOR_TOKEN="", POLYCODE_OPERATOR_TOKEN_FILE=str(tmp_path / "none")
    )
    assert (gone.returncode, "cannot be read" in gone.stderr) == (USAGE, True)
