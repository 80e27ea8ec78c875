"""Fresh databases on the real parts. A part that is missing fails the test that asks for it: it is never skipped."""

import atexit
import os
import uuid
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from parts import mongo, postgres, rabbit

POSTGRES_URL = os.environ.get("CONNECTED_POSTGRES_URL") or postgres.URL
MONGO_URL = os.environ.get("CONNECTED_MONGO_URL") or mongo.URL
RABBIT_URL = os.environ.get("CONNECTED_RABBIT_URL") or rabbit.URL
RABBIT_MANAGEMENT_URL = os.environ.get("CONNECTED_RABBIT_MANAGEMENT_URL") or rabbit.MANAGEMENT_URL
TIMEOUT_S = 5
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
VHOST_TIMEOUT_S = 30  # RabbitMQ opens two stores for each


def fresh_name() -> str:
    """Of a database that no other run has: nothing has to be cleaned up before or after."""
    return f"run_{uuid.uuid4().hex[:16]}"


def waiting(database_url: str) -> int:
    """Sessions that wait for a lock there, by a connection of its own: a transaction sees the same ones to its end."""
    with psycopg.connect(database_url, connect_timeout=TIMEOUT_S) as connection:
        return int((connection.execute(_WAITING).fetchone() or (0,))[0])


def fresh_postgres() -> str:
    """The URL of an empty database."""
    name = fresh_name()
    try:
        with psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=TIMEOUT_S) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.OperationalError as error:
        pytest.fail(
            f"PostgreSQL does not answer at {POSTGRES_URL}; start it with `make parts` ({error})", pytrace=False
        )
    return f"{POSTGRES_URL.rpartition('/')[0]}/{name}"


def fresh_mongo() -> str:
    """The URL of an empty database on a server that speaks MongoDB's protocol."""
    try:
        with MongoClient[dict[str, object]](MONGO_URL, serverSelectionTimeoutMS=TIMEOUT_S * 1000) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        pytest.fail(f"no MongoDB answers at {MONGO_URL}; start it with `make parts` ({error})", pytrace=False)
    return f"{MONGO_URL.rpartition('/')[0]}/{fresh_name()}"


def fresh_rabbit(url: str = RABBIT_URL, management_url: str = RABBIT_MANAGEMENT_URL) -> str:
    """The URL of an empty virtual host, which the administrator of the management API may use; gone when we end.

    Each holds megabytes of the broker, which stops publishers where it has given away too many.
    """
    name = fresh_name()
    atexit.register(_forget, f"{management_url}/api/vhosts/{name}")
    try:
        httpx.put(f"{management_url}/api/vhosts/{name}", timeout=VHOST_TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        where = urlsplit(management_url)
        seen = f"{where.hostname}:{where.port}"
        pytest.fail(f"RabbitMQ does not answer at {seen}; start it with `make parts` ({error})", pytrace=False)
    return f"{url.rpartition('/')[0]}/{name}"


def _forget(vhost: str) -> None:
    """A broker of a test's own may be gone before."""
    with suppress(httpx.HTTPError):
        httpx.delete(vhost, timeout=VHOST_TIMEOUT_S)


def expect_lost_updates(documents_url: str | None) -> None:
    """Ends a test as expected to fail where documents are in FerretDB 1.24: it reads a document, then writes it.

    MongoDB changes a document atomically, and so does the SQLite form: there the test goes on.
    """
    if documents_url is None:
        return
    with MongoClient[dict[str, object]](documents_url) as client:
        if "ferretdbVersion" in client.admin.command("buildInfo"):
            pytest.xfail("FerretDB 1.24 loses updates of one document at once, whoever makes them")
