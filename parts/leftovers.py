"""What killed test runs have left on the parts. With thousands of virtual hosts, RabbitMQ does not start any more."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import httpx
import psycopg
from pymongo.errors import PyMongoError

from parts import fresh
from parts.place import PartFailed

OLD_S = 3 * 3600
"""No test run takes that long."""
BOUND_S = 30.0
"""For each part; the next time goes on."""

_UNUSED = "SELECT datname FROM pg_database EXCEPT SELECT datname FROM pg_stat_activity"


def remove(now: float) -> dict[str, int]:
    """How many have been removed, by part. A part that does not answer has none."""
    kinds: dict[str, tuple[Callable[[], Sequence[str]], Callable[[str], None]]] = {
        "postgres": (databases, fresh.forget_database),
        "mongo": (documents, fresh.forget_documents),
        "rabbit": (vhosts, fresh.forget_vhost),
        "keycloak": (realms, _forget_realm),
    }
    return {part: _removed(old(names(), now), forget) for part, (names, forget) in kinds.items()}


def old(names: Iterable[str], now: float) -> list[str]:
    """Names of test runs that are over; also those of before names told their time."""
    made = ((name, fresh.made_at(name)) for name in names)
    return [name for name, at in made if at is not None and not now - OLD_S < at <= now + OLD_S]


def _removed(names: Iterable[str], forget: Callable[[str], None]) -> int:
    end, count = time.monotonic() + BOUND_S, 0
    for name in names:
        if time.monotonic() > end:
            break
        forget(name)
        count += 1
    return count


def databases() -> Sequence[str]:
    url, timeout_s = fresh.POSTGRES_URL, fresh.TIMEOUT_S
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=timeout_s) as connection:
        return [str(name) for (name,) in connection.execute(_UNUSED)]
    return ()


def documents() -> Sequence[str]:
    with suppress(PyMongoError), fresh.mongo_client() as client:
        return client.list_database_names()
    return ()


def vhosts() -> Sequence[str]:
    with suppress(httpx.HTTPError):
        answer = httpx.get(f"{fresh.RABBIT_MANAGEMENT_URL}/api/vhosts", timeout=fresh.VHOST_TIMEOUT_S)
        return [str(one["name"]) for one in answer.raise_for_status().json()]
    return ()


def realms() -> Sequence[str]:
    with suppress(httpx.HTTPError, PartFailed):
        server = fresh.shared_keycloak()
        head = {"Authorization": f"Bearer {fresh.administrator(server)}"}
        url = f"{server.url}/admin/realms?briefRepresentation=true"
        answer = httpx.get(url, headers=head, timeout=fresh.REALM_TIMEOUT_S)
        return [str(one["realm"]) for one in answer.raise_for_status().json()]
    return ()


def _forget_realm(name: str) -> None:
    fresh.forget_realm(replace(fresh.shared_keycloak(), realm=name))
