"""Empty databases, virtual hosts and realms on the running parts, each with a name that no other run has.

They are gone when the process ends. What a killed one leaves behind, the next `make parts` removes (leftovers.py).
"""

import atexit
import os
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg import sql
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from parts.place import PartFailed, from_environment
from parts.servers import keycloak, mongo, postgres, rabbit, redis

POSTGRES_URL = os.environ.get("CONNECTED_POSTGRES_URL") or postgres.URL
MONGO_URL = os.environ.get("CONNECTED_MONGO_URL") or mongo.URL
RABBIT_URL = os.environ.get("CONNECTED_RABBIT_URL") or rabbit.URL
RABBIT_MANAGEMENT_URL = os.environ.get("CONNECTED_RABBIT_MANAGEMENT_URL") or rabbit.MANAGEMENT_URL
REDIS_URL = os.environ.get("CONNECTED_REDIS_URL") or redis.URL
KEYCLOAK_URL = os.environ.get("CONNECTED_KEYCLOAK_URL") or keycloak.URL
TIMEOUT_S = 30
VHOST_TIMEOUT_S = 60  # RabbitMQ opens two stores for each
REALM_TIMEOUT_S = 60  # Keycloak makes keys for each
NAME = re.compile(r"run_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class IdentityServer:
    """A Keycloak and a name for a realm of one's own in it; `password`: that of its administrator `user`."""

    url: str
    realm: str
    user: str
    password: str = field(repr=False)

    @property
    def realm_url(self) -> str:
        """Also the issuer of its tokens."""
        return f"{self.url}/realms/{self.realm}"


def fresh_name() -> str:
    """Tells when it was made: `made_at` reads it."""
    return f"run_{int(time.time()):08x}{uuid.uuid4().hex[:8]}"


def made_at(name: str) -> float | None:
    """Unix seconds; None: another name."""
    return int(name[4:12], 16) if NAME.fullmatch(name) else None


def postgres_database() -> str:
    """The URL of an empty database; gone when we end. Raises PartFailed."""
    name = fresh_name()
    atexit.register(forget_database, name)
    try:
        with psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=TIMEOUT_S) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.OperationalError as error:
        raise PartFailed(
            f"PostgreSQL does not answer at {POSTGRES_URL}; start it with `make parts` ({error})"
        ) from error
    return f"{POSTGRES_URL.rpartition('/')[0]}/{name}"


def mongo_database() -> str:
    """The URL of an empty database on a server that speaks MongoDB's protocol; gone when we end. Raises PartFailed."""
    name = fresh_name()
    try:
        with mongo_client() as client:
            client.admin.command("ping")
    except PyMongoError as error:
        raise PartFailed(f"no MongoDB answers at {MONGO_URL}; start it with `make parts` ({error})") from error
    atexit.register(forget_documents, name)
    return f"{MONGO_URL.rpartition('/')[0]}/{name}"


def rabbit_vhost(url: str = RABBIT_URL, management_url: str = RABBIT_MANAGEMENT_URL) -> str:
    """The URL of an empty virtual host, which the administrator of the management API may use; gone when we end.

    Each holds megabytes of the broker, which stops publishers where it has given away too many. Raises PartFailed.
    """
    name = fresh_name()
    atexit.register(forget_vhost, name, management_url)
    try:
        httpx.put(f"{management_url}/api/vhosts/{name}", timeout=VHOST_TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        where = urlsplit(management_url)
        seen = f"{where.hostname}:{where.port}"
        raise PartFailed(f"RabbitMQ does not answer at {seen}; start it with `make parts` ({error})") from error
    return f"{url.rpartition('/')[0]}/{name}"


def keycloak_realm(server: IdentityServer | None = None) -> IdentityServer:
    """A name for a realm that is not there yet; once there, it is gone when we end. Raises PartFailed."""
    found = server or shared_keycloak()
    own = IdentityServer(found.url, fresh_name(), found.user, found.password)
    administrator(own)
    atexit.register(forget_realm, own)
    return own


def shared_keycloak() -> IdentityServer:
    """That of `make parts`, with its realm `master`; or CONNECTED_KEYCLOAK_URL and KEYCLOAK_ADMIN_PASSWORD."""
    return IdentityServer(KEYCLOAK_URL, "master", keycloak.ADMIN, keycloak.admin_password(from_environment()))


def administrator(server: IdentityServer) -> str:
    """An access token of the administrator, good for a minute."""
    form = {"grant_type": "password", "client_id": "admin-cli", "username": server.user, "password": server.password}
    url = f"{server.url}/realms/master/protocol/openid-connect/token"
    try:
        answer = httpx.post(url, data=form, timeout=REALM_TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        raise PartFailed(f"Keycloak does not answer at {server.url}; start it with `make parts` ({error})") from error
    return str(answer.json()["access_token"])


def forget_realm(server: IdentityServer) -> None:
    """A server of a test's own may be gone before."""
    with suppress(httpx.HTTPError, PartFailed):
        head = {"Authorization": f"Bearer {administrator(server)}"}
        httpx.delete(f"{server.url}/admin/realms/{server.realm}", headers=head, timeout=REALM_TIMEOUT_S)


def forget_vhost(name: str, management_url: str = RABBIT_MANAGEMENT_URL) -> None:
    """A broker of a test's own may be gone before."""
    with suppress(httpx.HTTPError):
        httpx.delete(f"{management_url}/api/vhosts/{name}", timeout=VHOST_TIMEOUT_S)


def forget_database(name: str) -> None:
    """Ends its connections, too."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=TIMEOUT_S) as connection,
    ):
        connection.execute(drop)


def forget_documents(name: str) -> None:
    """Of a server that speaks MongoDB's protocol."""
    with suppress(PyMongoError), mongo_client() as client:
        client.drop_database(name)


def mongo_client() -> MongoClient[dict[str, object]]:
    """Of the shared server."""
    return MongoClient(MONGO_URL, serverSelectionTimeoutMS=TIMEOUT_S * 1000)
