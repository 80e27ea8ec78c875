"""Compares a read of an extracted service through the gateway with the same read on the service itself.

It uses the stand-in monolith, the shop and the gateway of `make run`, with the group of reads in `extracted`. Direct
reads have an internal token, the others a user's. One client alternates both ways; ratios are medians.
"""

import json
import os
import re
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql

from benchmarks.load import Generator, Load
from benchmarks.processes import BenchmarkProcess, start, wait_for_output
from chassis.auth.claims import AuthenticationOutcome, Identity
from parts import mongo, postgres
from parts.process import free_port
from strangler_gateway.identity.signer import open_signer

CONNECTIONS = 4
_ROUTES = Path(__file__).parents[1] / "routes.yaml"
_LISTENING = rb"listening on http://[^ :]+:(\d+)(?: \(admin (http://[^)]+)\))?"
_USER = {"grantType": "implicit", "identity": "admin", "secret": "admin"}


@dataclass(frozen=True, slots=True)
class ReadStores:
    """The URLs of the monolith's tables and documents."""

    database: str
    documents: str | None = None

    @property
    def monolith(self) -> list[str]:
        """The stand-in's options."""
        database = ["--database", self.database.removeprefix("sqlite:///")]
        return database if self.documents is None else [*database, "--documents", self.documents]


def read_overheads(folder: Path, rounds: int, seconds: float) -> dict[str, float | None]:
    """`read_overhead` on SQLite, `read_overhead_postgres` where the real parts run (`make parts`), else None."""
    result: dict[str, float | None] = {}
    for name, stores in (("read_overhead", _sqlite(folder)), ("read_overhead_postgres", _real_parts())):
        if stores is None:
            result[name] = None
            continue
        here = folder / name
        here.mkdir()
        with running(stores, here) as system:
            result[name] = round(median(_ratio(system, seconds) for _ in range(rounds)), 3)
    return result


def _sqlite(folder: Path) -> ReadStores:
    return ReadStores(f"sqlite:///{folder / 'reads.sqlite3'}")


def _real_parts() -> ReadStores | None:
    """New databases on the parts that `make parts` has started."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    try:
        with psycopg.connect(postgres.URL, autocommit=True, connect_timeout=2) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.OperationalError:
        return None
    return ReadStores(f"{postgres.URL.rpartition('/')[0]}/{name}", f"{mongo.URL.rpartition('/')[0]}/{name}")


@dataclass(frozen=True, slots=True)
class ReadSystem:
    """The running system: ports, a user's token, an item to read, and the state that holds the signing key."""

    gateway: int
    shop: int
    token: str
    item: str
    state: Path

    @property
    def internal_token(self) -> str:
        """The token that the gateway would send to the shop."""
        user = Identity(AuthenticationOutcome.USER, str(uuid.UUID(int=1)), ("admin",))
        return open_signer(None, self.state).token(user, "shop").decode()


@contextmanager
def running(stores: ReadStores, folder: Path) -> Iterator[ReadSystem]:
    """Starts the three processes, and ends them when the block ends."""
    secret = folder / "jwt-secret"
    secret.write_text(uuid.uuid4().hex * 2)
    environ = {"AUTH_JWT_SECRET_FILE": str(secret), "AUTH_JWT_SECRET": secret.read_text()}
    with ExitStack() as closing:
        monolith, _ = _started(
            closing, folder, "monolith", ["examples.monolith", "--seed", "demo", *stores.monolith], environ
        )
        shop_port = free_port()
        text = _ROUTES.read_text().replace("items: {state: legacy", "items: {state: extracted")
        (folder / "routes.yaml").write_text(text)
        more = {
            "MONOLITH_URL": f"http://127.0.0.1:{monolith}",
            "SHOP_URL": f"http://127.0.0.1:{shop_port}",
            "LEGACY_DATABASE_URL": stores.database,
            "STRANGLER_LOG_FILE": os.devnull,
        }
        serve = ["strangler_gateway.cli.app", "serve", "--routes", str(folder / "routes.yaml"), "--admin-port", "0"]
        state = folder / "state"
        gateway, admin = _started(closing, folder, "gateway", [*serve, "--state-dir", str(state)], environ | more)
        shop = {"SHOP_DATABASE_URL": stores.database, "SHOP_JWKS_URL": f"{admin}/.well-known/jwks.json"}
        if stores.documents is not None:
            shop["SHOP_DOCUMENTS_URL"] = stores.documents
        _started(closing, folder, "shop", ["extracted.shop"], shop, shop_port)
        token = _post(gateway, "/auth/token", _USER)["data"]["accessToken"]
        item = _get(gateway, "/item", token)["data"][0]["id"]
        yield ReadSystem(gateway, shop_port, token, item, state)


def _started(
    closing: ExitStack, folder: Path, name: str, module: list[str], environ: dict[str, str], port: int = 0
) -> tuple[int, str]:
    command = [sys.executable, "-m", *module, "--port", str(port)]
    child: BenchmarkProcess = start(name, command, folder, None, environ)
    closing.callback(child.end)
    found: re.Match[bytes] = wait_for_output(child, _LISTENING)
    return int(found[1]), (found[2] or b"").decode()


def _ratio(system: ReadSystem, seconds: float) -> float:
    direct = _load(system.shop, system.internal_token, system.item, seconds)
    through = _load(system.gateway, system.token, system.item, seconds)
    return through.p50_ms / direct.p50_ms


def _load(port: int, token: str, item: str, seconds: float) -> Load:
    fields = [("Authorization", f"Bearer {token}")]
    load = Generator().run(port, f"/item/{item}", fields, CONNECTIONS, seconds)
    if load.errors:
        raise RuntimeError(f"{load.errors} of {load.requests} reads failed on port {port}")
    return load


def _post(port: int, target: str, body: object) -> dict[str, dict[str, str]]:
    request = urllib.request.Request(  # our own process on loopback
        f"http://127.0.0.1:{port}{target}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        result: dict[str, dict[str, str]] = json.load(answer)
        return result


def _get(port: int, target: str, token: str) -> dict[str, list[dict[str, str]]]:
    request = urllib.request.Request(  # our own process on loopback
        f"http://127.0.0.1:{port}{target}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        result: dict[str, list[dict[str, str]]] = json.load(answer)
        return result
