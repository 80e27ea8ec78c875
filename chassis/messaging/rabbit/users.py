"""One RabbitMQ user per deployable: it reads its own queues and writes only where the topology allows it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import httpx

from chassis.messaging.port import BrokerUnavailable
from chassis.messaging.topology import Topology

TIMEOUT_S = 10.0
REPLIES = ".replies"
_NOTHING = "^$"


@dataclass(frozen=True, slots=True)
class Permissions:
    """RabbitMQ permissions: regular expressions over the names of queues and exchanges."""

    configure: str
    write: str
    read: str


def permissions(topology: Topology) -> dict[str, Permissions]:
    """By deployable. The administrator creates exchanges; the deployable NAME waits for answers in `NAME.replies`."""
    return {name: _of(topology, name) for name in sorted(_deployables(topology))}


def _of(topology: Topology, name: str) -> Permissions:
    own = topology.owned_by(name)
    queues = _exactly(part for queue in own.queues for part in (queue.name, queue.dead))
    bound = _exactly(own.writers.keys() | {queue.exchange for queue in own.queues})
    writes = _exactly(exchange for exchange, writers in topology.writers.items() if name in writers)
    replies = [exchange for exchange in topology.writers if exchange == f"{name}{REPLIES}"]
    waiting = [rf"{re.escape(exchange)}\.[0-9a-f]+" for exchange in replies]
    return Permissions(
        configure=_any([*queues, *waiting]),
        write=_any([*queues, *waiting, *writes]),  # binding a queue needs the right to write to it
        read=_any([*queues, *waiting, *bound, *_exactly(replies)]),
    )


async def apply_users(
    management_url: str, vhost: str, topology: Topology, passwords: Mapping[str, str], *, prefix: str = ""
) -> None:
    """Creates or updates the users PREFIX+DEPLOYABLE named in `passwords`, and their permissions in that virtual host.

    `management_url`: http://ADMINISTRATOR:PASSWORD@HOST:PORT. Raises BrokerUnavailable, which never shows a secret.
    """
    known = permissions(topology)
    unknown = sorted(passwords.keys() - known.keys())
    if unknown:
        raise ValueError(f"the topology has no deployable named {', '.join(unknown)}")
    async with _client(management_url) as client:
        for name, password in passwords.items():
            user, may = quote(prefix + name, safe=""), known[name]
            await _put(client, f"/api/users/{user}", {"password": password, "tags": ""})
            allowed = {"configure": may.configure, "write": may.write, "read": may.read}
            await _put(client, f"/api/permissions/{quote(vhost, safe='')}/{user}", allowed)


def _client(url: str) -> httpx.AsyncClient:
    """Sends the administrator's password in a header, because errors show URLs."""
    parts = urlsplit(url)
    auth = (unquote(parts.username or ""), unquote(parts.password or ""))
    return httpx.AsyncClient(base_url=parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), auth=auth)


async def _put(client: httpx.AsyncClient, path: str, body: Mapping[str, str]) -> None:
    try:
        (await client.put(path, json=body, timeout=TIMEOUT_S)).raise_for_status()
    except httpx.HTTPError as error:
        raise BrokerUnavailable(f"RabbitMQ's management API: {error}") from error


def _deployables(topology: Topology) -> set[str]:
    return {queue.owner for queue in topology.queues} | {name for who in topology.writers.values() for name in who}


def _exactly(names: Iterable[str]) -> list[str]:
    return [re.escape(name) for name in sorted(set(names))]


def _any(patterns: list[str]) -> str:
    return f"^({'|'.join(patterns)})$" if patterns else _NOTHING
