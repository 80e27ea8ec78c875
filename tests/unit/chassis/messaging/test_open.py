"""Which broker a URL means, and what is said of one that means none."""

import sys
from pathlib import Path

import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.sqlite.broker import SqliteBroker
from chassis.settings import SettingsInvalid


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/broker.db", Path("data/broker.db").absolute()),
        ("sqlite:////var/lib/broker.db", Path("/var/lib/broker.db")),
        ("sqlite:////var/a%20b.db?synchronous=full", Path("/var/a b.db")),
    ],
)
def test_sqlite_means_the_embedded_broker(url: str, path: Path) -> None:
    broker = open_broker(url, "service")
    assert isinstance(broker, SqliteBroker)
    assert broker.path == path


def test_the_lease_can_be_set() -> None:
    broker = open_broker("sqlite:///broker.db?lease_s=2.5", "service")
    assert isinstance(broker, SqliteBroker)
    assert broker.lease_s == 2.5


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
async def test_amqp_means_rabbitmq(scheme: str) -> None:
    broker = open_broker(f"{scheme}://user:word@host/vhost", "service")
    assert type(broker).__name__ == "RabbitBroker"
    await broker.aclose()


def test_amqp_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("chassis.messaging.rabbit")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiormq", None)  # as if it were not there
    with pytest.raises(SettingsInvalid, match=r"install strangler-gateway\[amqp\]"):
        open_broker("amqp://user:word@host/vhost", "service")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("redis://user:word@host", "begins with redis"),
        ("", "begins with nothing"),
        ("sqlite://word/broker.db", "wanted amqp"),
        ("sqlite:///", "wanted amqp"),
        ("amqp://[word", "is not valid"),
        ("sqlite:///b.db?lease_s=0", "lease_s must be between"),
        ("sqlite:///b.db?lease_s=word", "lease_s must be between"),
        ("sqlite:///b.db?lease_s=nan", "lease_s must be between"),
        ("sqlite:///b.db?lease_s=61", "lease_s must be between"),
        ("sqlite:///b.db?synchronous=word", "must be normal or full"),
        ("sqlite:///b.db?wal=1", "unknown options wal"),
    ],
)
def test_a_url_that_means_none_is_refused_and_not_shown(url: str, fault: str) -> None:
    with pytest.raises(SettingsInvalid, match=fault) as caught:
        open_broker(url, "service")
    assert "word" not in str(caught.value).replace("PASSWORD", "")
