"""Opens the broker that a URL names: amqp(s)://… is RabbitMQ, sqlite:///PATH a file shared by one host's processes."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from chassis.messaging.port import Broker
from chassis.settings import SettingsInvalid

_WANTED = "wanted amqp://USER:PASSWORD@HOST/VHOST, amqps://… or sqlite:///PATH"


def open_broker(url: str, name: str) -> Broker:
    """Does not connect yet. `name`: the deployable's. Raises SettingsInvalid, which never shows the URL.

    `sqlite:///PATH?lease_s=10&synchronous=full`: after how many seconds a dead process's messages are delivered again,
    and that confirms wait for the disk.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingsInvalid(f"the broker's URL is not valid; {_WANTED}") from None  # the cause would show the URL
    if parts.scheme in ("amqp", "amqps"):
        return _rabbit(url, name)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return _sqlite(Path(unquote(parts.path[1:])), parts.query, name)
    raise SettingsInvalid(f"the broker's URL begins with {parts.scheme or 'nothing'}; {_WANTED}")


def _rabbit(url: str, name: str) -> Broker:
    try:
        from chassis.messaging.rabbit.broker import RabbitBroker  # the library is an extra
    except ModuleNotFoundError as error:
        if error.name != "aiormq":
            raise
        raise SettingsInvalid("amqp:// needs aiormq: install strangler-gateway[amqp]") from error
    return RabbitBroker(url, name)


def _sqlite(path: Path, query: str, name: str) -> Broker:
    from chassis.messaging.sqlite.broker import SqliteBroker  # a process without a broker has no use for it

    options = dict(parse_qsl(query, keep_blank_values=True))
    lease, synchronous = options.pop("lease_s", "10"), options.pop("synchronous", "normal")
    if options:
        raise SettingsInvalid(f"the broker's URL has the unknown options {', '.join(sorted(options))}")
    if synchronous not in ("normal", "full"):
        raise SettingsInvalid("the broker's option synchronous must be normal or full")
    return SqliteBroker(path, name, lease_s=_lease_s(lease), is_full=synchronous == "full")


def _lease_s(text: str) -> float:
    from chassis.messaging.sqlite.jobs import LONGEST_LEASE_S

    try:
        lease_s = float(text)
    except ValueError:
        lease_s = 0.0
    if not 0.1 <= lease_s <= LONGEST_LEASE_S:
        raise SettingsInvalid(f"the broker's option lease_s must be between 0.1 and {LONGEST_LEASE_S:g}")
    return lease_s
