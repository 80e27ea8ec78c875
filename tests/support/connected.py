"""Fresh databases on the real parts. A part that is missing fails the test that asks for it: it is never skipped."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg
import pytest
from pymongo import MongoClient

from parts.fresh import (
    KEYCLOAK_URL,
    MONGO_URL,
    POSTGRES_URL,
    RABBIT_MANAGEMENT_URL,
    RABBIT_URL,
    REDIS_URL,
    TIMEOUT_S,
    IdentityServer,
    fresh_name,
    keycloak_realm,
    mongo_database,
    postgres_database,
    rabbit_vhost,
)
from parts.place import PartFailed

__all__ = [
    "KEYCLOAK_URL",
    "MONGO_URL",
    "POSTGRES_URL",
    "RABBIT_MANAGEMENT_URL",
    "RABBIT_URL",
    "REDIS_URL",
    "TIMEOUT_S",
    "fresh_name",
]
_Made = TypeVar("_Made")
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def waiting(database_url: str) -> int:
    """Sessions that wait for a lock there, by a connection of its own: a transaction sees the same ones to its end."""
    with psycopg.connect(database_url, connect_timeout=TIMEOUT_S) as connection:
        return int((connection.execute(_WAITING).fetchone() or (0,))[0])


def fresh_postgres() -> str:
    """The URL of an empty database."""
    return _made(postgres_database)


def fresh_mongo() -> str:
    """The URL of an empty database on a server that speaks MongoDB's protocol."""
    return _made(mongo_database)


def fresh_rabbit(url: str = RABBIT_URL, management_url: str = RABBIT_MANAGEMENT_URL) -> str:
    """The URL of an empty virtual host; gone when the tests end."""
    return _made(partial(rabbit_vhost, url, management_url))


def fresh_realm(server: IdentityServer | None = None) -> IdentityServer:
    """A Keycloak with a name for a realm of one's own, by default on the shared one; gone when the tests end."""
    return _made(partial(keycloak_realm, server))


def _made(make: Callable[[], _Made]) -> _Made:
    try:
        return make()
    except PartFailed as error:
        pytest.fail(str(error), pytrace=False)


def expect_lost_updates(documents_url: str | None) -> None:
    """Ends a test as expected to fail where documents are in FerretDB 1.24: it reads a document, then writes it.

    MongoDB changes a document atomically, and so does the SQLite form: there the test goes on.
    """
    if documents_url is None:
        return
    with MongoClient[dict[str, object]](documents_url) as client:
        if "ferretdbVersion" in client.admin.command("buildInfo"):
            pytest.xfail("FerretDB 1.24 loses updates of one document at once, whoever makes them")
