"""`polycode purchases`, `dead-letters` and `status` against running services: what they print, and their exit codes."""

import getpass
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stores import on_sqlite
from tests.support.system.meddling import SqliteMeddler
from tests.support.system.purchasing import OPERATOR, System, system
from tests.support.system.waiting import until
from tests.unit.extracted.cli.polycode import REFUSED, UNREACHABLE, USAGE, Polycode

pytestmark = pytest.mark.walk


@dataclass(frozen=True)
class Operated(Polycode):
    """`open_one`: a purchase that the shop does not answer. `status`: what the command said before."""

    system: System
    open_one: str
    status: str

    def completed(self) -> dict[str, str]:
        [one] = self.json("purchases", "list", "--state", "completed")["purchases"]
        return dict(one)

    def dead_letters(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.json("dead-letters", "list", "--service", "account")["account"]
        return found


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
        urls = {
            f"POLYCODE_{name.upper()}_URL": f"http://127.0.0.1:{running.ports[name]}" for name in ("account", "shop")
        }
        polycode = Polycode({"POLYCODE_OPERATOR_TOKEN": OPERATOR} | urls)
        until(lambda: polycode.json("purchases", "list", "--state", "completed")["purchases"], "the first is bought")
        status = polycode.run("status").stdout
        running.shop.stop()
        running.shop.start(SHOP_BROKER_URL="")  # offers are made, and no command is answered
        other = running.purchase(running.data.login(user), running.data.add_item(cost=20))
        assert other.status in (202, 204), other
        yield Operated(polycode.environ, running, other.headers["location"].rpartition("/")[2], status)


def test_the_status_tells_of_both_services(operated: Operated) -> None:
    assert "account  open" in operated.status
    assert "shop " in operated.status
    assert operated.status.count("outbox unpublished") == 2
    assert re.search(r"account +consumers 1 isConsuming +yes", operated.status)
    assert not re.search("[{}]|True|None", operated.status)


def test_open_purchases_are_listed_by_state_and_age_and_one_is_shown_with_its_timeline(operated: Operated) -> None:
    found = until(lambda: operated.json("purchases", "list", "--state", "debited")["purchases"], "it is debited")
    assert [(one["id"], one["price"]) for one in found] == [(operated.open_one, 20)]
    assert operated.json("purchases", "list", "--older-than", "1h")["purchases"] == []
    listed = operated.shown("purchases", "list")
    assert (operated.open_one in listed, "COMPLETED" in listed) == (True, True)
    assert [one["id"] for one in operated.json("purchases", "list", "--open")["purchases"]] == [operated.open_one]
    first = operated.shown("purchases", "list", "--limit", "1")
    [after] = re.findall("--after (.*)", first)
    second = operated.shown("purchases", "list", "--after", after)
    assert (operated.open_one in first, operated.open_one in second) == (False, True)
    shown = operated.shown("purchases", "show", operated.open_one)
    assert ("debit -20" in shown, "50 left" in shown) == (True, True)


def test_one_can_be_asked_about_again_and_the_reason_is_kept(operated: Operated) -> None:
    operated.shown("purchases", "resume", operated.open_one, "--why", "the shop hung")
    [kept] = operated.json("purchases", "show", operated.open_one)["interventions"]
    assert (kept["action"], kept["why"], kept["by"]) == ("resumed", "the shop hung", getpass.getuser())
    assert f"the shop hung ({getpass.getuser()})" in operated.shown("purchases", "show", operated.open_one)


def test_what_does_not_count_now_is_refused_with_a_sentence(operated: Operated) -> None:
    bought = operated.completed()
    assert "COMPLETED" in operated.refused("purchases", "cancel", bought["id"], "--why", "by mistake")
    assert "two live rows" in operated.refused("purchases", "refund", bought["id"], "--why", "by mistake")


def test_the_audit_ends_with_0_where_the_books_hold_and_1_where_not(operated: Operated) -> None:
    assert "no breach" in operated.shown("purchases", "audit")
    bought = operated.completed()
    operated.system.data.add_purchase(bought["userId"], bought["itemId"])
    done = operated.run("purchases", "audit")
    assert (done.returncode, "charged_twice" in done.stdout) == (REFUSED, True)
    operated.shown("purchases", "refund", bought["id"], "--why", "the monolith charged, too")
    operated.shown("purchases", "audit")


def test_a_message_that_nobody_understands_is_shown_grouped_and_tried_again(operated: Operated) -> None:
    broker = SqliteMeddler(operated.system.folder / "broker.sqlite3")
    broker.put("account.purchases", {"id": "m-1\x1b", "type": "purchase.requested.v1"}, b"{")
    [kept] = until(operated.dead_letters, "it is kept")
    assert kept["messageId"] == "m-1\x1b"
    of_account = ("--service", "account")
    assert "account.purchases" in operated.shown("dead-letters", "groups", *of_account)
    shown = operated.shown("dead-letters", "show", kept["id"], *of_account)
    assert ("m-1" in shown, "\x1b" in shown) == (True, False)
    assert not re.search("[}']|None", shown)
    assert "1 of 1" in operated.shown("dead-letters", "redrive", "--all", *of_account, "--why", "to see")
    until(operated.dead_letters, "it is kept again")
    operated.shown("dead-letters", "discard", kept["id"], *of_account, "--why", "nonsense")
    assert operated.dead_letters() == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("purchases list --older-than soon", USAGE, "is not a time"),
        ("purchases list --state lost", USAGE, "state must be one of"),
        ("purchases list --open --limit 1 --after nowhere --older-than 1x", USAGE, '"1x" is not a time'),
        ("purchases list --bogus", USAGE, "--bogus"),
        ("purchases cancel x", USAGE, "--why"),
        ("purchases show ../status", USAGE, "may only have"),
        ("dead-letters show ../status --service shop", USAGE, "may only have"),
        ("purchases show 00000000-0000-4000-8000-000000000000", REFUSED, "no such purchase"),
        ("dead-letters redrive --service mail --all --why x", USAGE, '"mail" is not one of account, shop'),
        ("dead-letters redrive --service shop --why x", USAGE, "expected ids or --all"),
    ],
)
def test_a_wrong_word_is_told_without_a_trace(operated: Operated, words: str, code: int, said: str) -> None:
    assert said in operated.refused(*words.split(), code=code)


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        ({"POLYCODE_OPERATOR_TOKEN": "guessed"}, REFUSED, "POLYCODE_OPERATOR_TOKEN"),
        ({"POLYCODE_ACCOUNT_URL": "http://127.0.0.1:1"}, UNREACHABLE, "it does not accept connections"),
        ({"POLYCODE_ACCOUNT_URL": "127.0.0.1:8103"}, USAGE, "is not an address like http://127.0.0.1:8103"),
        ({"POLYCODE_OPERATOR_TOKEN": "two\nlines"}, USAGE, "POLYCODE_OPERATOR_TOKEN"),
        ({"POLYCODE_OPERATOR_TOKEN": "", "POLYCODE_OPERATOR_TOKEN_FILE": "nowhere"}, USAGE, "cannot be read"),
    ],
)
def test_a_wrong_credential_and_a_service_that_is_away_have_codes_of_their_own(
    operated: Operated, environ: dict[str, str], code: int, said: str
) -> None:
    assert said in operated.refused("purchases", "list", code=code, **environ)


def test_the_credential_may_lie_in_a_file(operated: Operated, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{OPERATOR}\n")
    in_file = {"POLYCODE_OPERATOR_TOKEN": "", "POLYCODE_OPERATOR_TOKEN_FILE": str(tmp_path / "token")}
    assert operated.run("purchases", "list", **in_file).returncode == 0
