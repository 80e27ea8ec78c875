"""The shop as a process, and what its tests ask it with."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.database import migrations
from extracted.shop.storage import MIGRATIONS
from tests.unit.extracted.running import (
    ROOT,
    START_TIMEOUT_S,
    Answer,
    Gateway,
    RunningService,
    ask,
    running_service,
    stop,
)

__all__ = [
    "ADMIN", "BAD_REQUEST", "INTERNAL_TOKEN", "JSON", "NOT_FOUND", "OPERATOR_TOKEN", "REJECTED", "ROOT",
    "START_TIMEOUT_S", "STORE_FAILED", "UNEXPECTED", "UNKNOWN", "Answer", "Gateway", "RunningShop", "ask", "bearer",
    "data", "migrated", "run", "running_seller", "running_shop", "send", "stop", "told", "user",
]  # fmt: skip

RunningShop = RunningService
INTERNAL_TOKEN, OPERATOR_TOKEN = "account-alone-has-this-one", "operators-alone-have-this"
JSON = {"Content-Type": "application/json"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
REJECTED = Identity(AuthenticationOutcome.REJECTED)
BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')
STORE_FAILED = (500, b'{"statusCode":500,"message":"Internal Server Error"}')
UNEXPECTED = (500, b'{"statusCode":500,"message":"Internal server error"}')


def user(*roles: str, subject: str | None = None) -> Identity:
    return Identity(AuthenticationOutcome.USER, subject or str(uuid.uuid4()), roles)


ADMIN = user("admin")


def send(shop: RunningShop, method: str, target: str, body: object, identity: Identity = ADMIN) -> Answer:
    """`body`: a JSON value, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return shop.ask(target, identity, method=method, headers=JSON, body=content)


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def data(answer: Answer) -> Any:
    assert answer.status in (200, 201), answer.body
    return json.loads(answer.body)["data"]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The shop's command, until it ends."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")} | variables
    command = [sys.executable, "-m", "extracted.shop", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )


def running_shop(database_url: str, gateway: Gateway, **variables: str) -> AbstractContextManager[RunningShop]:
    """`variables` are further SHOP_… settings, by their names without the prefix."""
    return running_service("shop", database_url, gateway, **variables)


@contextmanager
def running_seller(database_url: str, gateway: Gateway, folder: Path, **variables: str) -> Iterator[RunningShop]:
    """A shop that sells through a broker in `folder`, on tables that are made first; both credentials are set."""
    migrated(database_url)
    own = {"BROKER_URL": f"sqlite:///{folder / 'broker.sqlite3'}"}
    own |= {"INTERNAL_TOKEN": INTERNAL_TOKEN, "OPERATOR_TOKEN": OPERATOR_TOKEN}
    with running_shop(database_url, gateway, **(own | variables)) as shop:
        yield shop


def migrated(database_url: str) -> None:
    """The shop's own tables are there. In a thread: a loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(migrations.upgrade(database_url, "shop", MIGRATIONS))).result()


def bearer(token: str) -> dict[str, str]:
    """The header field."""
    return {"Authorization": f"Bearer {token}"}
