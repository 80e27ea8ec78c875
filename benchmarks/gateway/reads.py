"""Compares reads of extracted services through the gateway with the same reads on the services themselves.

It uses the stand-in monolith, Shop, Learning and the gateway of `make run`, with the groups of reads in `extracted`:
an item, and a module with the trees of ten contents. Direct reads have an internal token, the others a user's. One
client alternates both ways; ratios are medians.
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

from benchmarks.common.load import Generator, Load
from benchmarks.common.processes import BenchmarkProcess, start, wait_for_output
from chassis.auth.claims import AuthenticationOutcome, Identity
from parts.fresh import mongo_database, postgres_database
from parts.place import PartFailed
from parts.ports import free_port
from strangler_gateway.identity.signer import open_signer

CONNECTIONS = 4
NAMES = ("read_overhead", "learning_overhead")
_ROUTES = Path(__file__).parents[2] / "routes.yaml"
_LISTENING = rb"listening on http://[^ :]+:(\d+)(?: \(admin (http://[^)]+)\))?"
_EXTRACTED = ("items", "learning")
_CONTENTS = 10
_NODE = {"type": "markdown", "data": {"markdown": "Read the task, then write a program that solves it. " * 4}}
_TREE = {
    "type": "container",
    "data": {"components": [_NODE, {"type": "container", "data": {"components": [_NODE] * 3}}]},
}
_CONTENT = {
    "name": "Task",
    "description": "One of ten",
    "type": "lesson",
    "reward": 1,
    "rootComponent": _TREE,
    "data": {},
}
_MODULE = {
    "name": "Module", "description": "With ten contents", "type": "practice", "reward": 1, "tags": ["java"], "data": {},
    "modules": [],
}  # fmt: skip
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
    """`read_overhead` (an item) and `learning_overhead` (a module with its trees) on SQLite.

    The same with `_postgres` where the real parts run (`make parts`), else None.
    """
    result: dict[str, float | None] = {}
    for suffix, stores in (("", on_sqlite(folder)), ("_postgres", _real_parts())):
        if stores is None:
            result |= {f"{name}{suffix}": None for name in NAMES}
            continue
        here = folder / f"reads{suffix}"
        here.mkdir()
        with running(stores, here) as system:
            for read in system.reads:
                overhead = median(_ratio(system, read, seconds) for _ in range(rounds))
                result[f"{read.name}{suffix}"] = round(overhead, 3)
    return result


def on_sqlite(folder: Path) -> ReadStores:
    """Empty, in one file."""
    return ReadStores(f"sqlite:///{folder / 'reads.sqlite3'}")


def _real_parts() -> ReadStores | None:
    """New databases on the parts that `make parts` has started."""
    try:
        return ReadStores(postgres_database(), mongo_database())
    except PartFailed:
        return None


@dataclass(frozen=True, slots=True)
class Read:
    """A read of the service on that port. `name`: of its ratio."""

    name: str
    service: str
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class ReadSystem:
    """The running system: the gateway's port, a user's token, and the state that holds the signing key."""

    gateway: int
    token: str
    state: Path
    reads: tuple[Read, ...]

    def internal_token(self, service: str) -> str:
        """The token that the gateway would send to the service."""
        user = Identity(AuthenticationOutcome.USER, str(uuid.UUID(int=1)), ("admin",))
        return open_signer(None, self.state).token(user, service).decode()


@contextmanager
def running(stores: ReadStores, folder: Path) -> Iterator[ReadSystem]:
    """Starts the four processes, and ends them when the block ends."""
    secret = folder / "jwt-secret"
    secret.write_text(uuid.uuid4().hex * 2)
    environ = {"AUTH_JWT_SECRET_FILE": str(secret), "AUTH_JWT_SECRET": secret.read_text()}
    with ExitStack() as closing:
        monolith, _ = _started(
            closing, folder, "monolith", ["examples.monolith", "--seed", "demo", *stores.monolith], environ
        )
        ports = {name: free_port() for name in ("shop", "learning")}
        text = _ROUTES.read_text()
        for group in _EXTRACTED:
            text = text.replace(f"{group}: {{state: legacy", f"{group}: {{state: extracted")
        (folder / "routes.yaml").write_text(text)
        more = {
            "MONOLITH_URL": f"http://127.0.0.1:{monolith}",
            **{f"{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in ports.items()},
            "LEGACY_DATABASE_URL": stores.database,
            "STRANGLER_LOG_FILE": os.devnull,
        }
        serve = ["strangler_gateway.cli.app", "serve", "--routes", str(folder / "routes.yaml"), "--admin-port", "0"]
        state = folder / "state"
        gateway, admin = _started(closing, folder, "gateway", [*serve, "--state-dir", str(state)], environ | more)
        for name, port in ports.items():
            settings = {"DATABASE_URL": stores.database, "JWKS_URL": f"{admin}/.well-known/jwks.json"}
            settings |= {} if stores.documents is None else {"DOCUMENTS_URL": stores.documents}
            own = {f"{name.upper()}_{setting}": value for setting, value in settings.items()}
            _started(closing, folder, name, [f"extracted.{name}"], own, port)
        token = _post(gateway, "/auth/token", _USER)["data"]["accessToken"]
        item = _get(gateway, "/item", token)["data"][0]["id"]
        targets = {"shop": f"/item/{item}", "learning": f"/module/{_module(gateway, token)}"}
        reads = tuple(Read(ratio, name, ports[name], targets[name]) for ratio, name in zip(NAMES, ports, strict=True))
        yield ReadSystem(gateway, token, state, reads)


def _module(gateway: int, token: str) -> str:
    """A new module with contents; its id."""
    contents = [_post(gateway, "/content", _CONTENT, token)["data"]["id"] for _ in range(_CONTENTS)]
    return _post(gateway, "/module", _MODULE | {"contents": contents}, token)["data"]["id"]


def _started(
    closing: ExitStack, folder: Path, name: str, module: list[str], environ: dict[str, str], port: int = 0
) -> tuple[int, str]:
    command = [sys.executable, "-m", *module, "--port", str(port)]
    child: BenchmarkProcess = start(closing, name, command, folder, None, environ)
    found: re.Match[bytes] = wait_for_output(child, _LISTENING)
    return int(found[1]), (found[2] or b"").decode()


def _ratio(system: ReadSystem, read: Read, seconds: float) -> float:
    direct = _load(read.port, system.internal_token(read.service), read.target, seconds)
    through = _load(system.gateway, system.token, read.target, seconds)
    return through.p50_ms / direct.p50_ms


def _load(port: int, token: str, target: str, seconds: float) -> Load:
    fields = [("Authorization", f"Bearer {token}")]
    load = Generator().run(port, target, fields, CONNECTIONS, seconds)
    if load.errors:
        raise RuntimeError(f"{load.errors} of {load.requests} reads failed on port {port}")
    return load


def _post(port: int, target: str, body: object, token: str | None = None) -> dict[str, dict[str, str]]:
    fields = {"Content-Type": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    request = urllib.request.Request(  # our own process on loopback
        f"http://127.0.0.1:{port}{target}", json.dumps(body).encode(), fields
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
