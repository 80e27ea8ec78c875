"""Which broker a URL means: amqp(s)://… is RabbitMQ, sqlite:///PATH the tables of the processes of one host."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from chassis.messaging.port import Broker
from chassis.messaging.sqlite.broker import SqliteBroker
from chassis.messaging.sqlite.jobs import LONGEST_LEASE_S
from chassis.settings import SettingsInvalid

_WANTED = "wanted amqp://USER:PASSWORD@HOST/VHOST, amqps://… or sqlite:///PATH"


def open_broker(url: str, name: str) -> Broker:
    """Not connected yet; `name`: of the deployable. Raises SettingsInvalid, which never shows the URL.

    `sqlite:///PATH?lease_s=10&synchronous=full`: how soon the messages of a dead process are delivered again (s), and
    whether confirms wait for the disk.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingsInvalid(f"the broker's URL is none; {_WANTED}") from None  # the cause would show the URL
    if parts.scheme in ("amqp", "amqps"):
        return _rabbit(url, name)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return _tables(Path(unquote(parts.path[1:])), parts.query, name)
    raise SettingsInvalid(f"the broker's URL begins with {parts.scheme or 'nothing'}; {_WANTED}")


def _rabbit(url: str, name: str) -> Broker:
    try:
        from chassis.messaging.rabbit.broker import RabbitBroker  # the library is an extra
    except ModuleNotFoundError as error:
        if error.name != "aiormq":
            raise
        raise SettingsInvalid("amqp:// needs aiormq: install strangler-gateway[amqp]") from error
    return RabbitBroker(url, name)


def _tables(path: Path, query: str, name: str) -> Broker:
    options = dict(parse_qsl(query, keep_blank_values=True))
    lease, synchronous = options.pop("lease_s", "10"), options.pop("synchronous", "normal")
    if options:
        raise SettingsInvalid(f"the broker's URL has the unknown options {', '.join(sorted(options))}")
    if synchronous not in ("normal", "full"):
        raise SettingsInvalid("the broker's option synchronous is neither normal nor full")
    return SqliteBroker(path, name, lease_s=_lease_s(lease), is_full=synchronous == "full")


def _lease_s(text: str) -> float:
    try:
        lease_s = float(text)
    except ValueError:
        lease_s = 0.0
    if not 0.1 <= lease_s <= LONGEST_LEASE_S:
        raise SettingsInvalid(f"the broker's option lease_s is not between 0.1 and {LONGEST_LEASE_S:g}")
    return lease_s
