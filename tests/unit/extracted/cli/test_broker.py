"""`polycode broker`: the topology is made from its file, and each deployable's user."""

import json
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.port import BrokerUnavailable
from tests.support.connected import RABBIT_MANAGEMENT_URL, fresh_rabbit
from tests.unit.extracted.cli.polycode import REFUSED, USAGE, Polycode

run = Polycode({}).run


@pytest.mark.walk
def test_exchanges_and_queues_are_made_once_and_for_all(tmp_path: Path) -> None:
    apply = ("broker", "apply", "--url", f"sqlite:///{tmp_path / 'broker.sqlite3'}")
    done = run(*apply)
    assert (done.returncode, "8 exchanges and 6 queues exist" in done.stdout) == (0, True), done.stderr
    again = json.loads(run(*apply, "--json").stdout)
    assert (len(again["exchanges"]), "shop.commands" in again["queues"]) == (8, True)


def test_who_may_what_is_shown() -> None:
    shown = run("broker", "show").stdout
    assert "shop" in shown
    assert r"account\.purchases" in shown


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("apply", "--url", "http://nowhere"), USAGE, "http"),
        (("apply", "--url", "sqlite:///x", "--topology", "nowhere.yaml"), USAGE, "nowhere.yaml"),
        (("apply", "--url", "amqp://guest:sesame@127.0.0.1:1/"), REFUSED, "127.0.0.1"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_without_secrets(words: tuple[str, ...], code: int, said: str) -> None:
    done = run("broker", *words, "--json")
    assert done.returncode == code
    assert said in json.loads(done.stderr)["error"]
    assert "Traceback" not in done.stderr
    assert "sesame" not in done.stderr


@pytest.mark.connected
async def test_each_deployable_gets_a_user_and_keeps_its_password(tmp_path: Path) -> None:
    url = fresh_rabbit()
    variables = {"POLYCODE_BROKER_URL": url, "POLYCODE_BROKER_MANAGEMENT_URL": RABBIT_MANAGEMENT_URL}
    assert run("broker", "apply", **variables).returncode == 0
    passwords = []
    for _ in range(2):
        done = run("broker", "users", "--passwords", str(tmp_path / "users"), **variables)
        assert done.returncode == 0, done.stderr
        passwords.append((tmp_path / "users" / "shop").read_text())
    assert passwords[0] == passwords[1]
    assert stat.S_IMODE((tmp_path / "users" / "shop").stat().st_mode) == 0o600
    parts = urlsplit(url)
    for password, may in ((passwords[0], True), ("guessed", False)):
        broker = open_broker(parts._replace(netloc=f"shop:{password}@{parts.hostname}:{parts.port}").geturl(), "test")
        try:
            await broker.ping()
            assert may
        except BrokerUnavailable:
            assert not may
        finally:
            await broker.aclose()
