"""The system of a purchase and of a reward: monolith, Account, Shop, Learning, Runner, gateway; each is optional."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from chassis.database import migrations
from parts.ports import free_port
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData
from tests.support.stores import Stores
from tests.support.system.processes import ROOT, Process

TOKENS = {"SHOP_INTERNAL_TOKEN": "internal-of-the-test-run", "ACCOUNT_SHOP_TOKEN": "internal-of-the-test-run"}
RUNNER = "between-learning-and-runner-of-the-test-run"
OPERATOR = "an-operator-token-of-the-test-run"
_GROUP = "points"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class System:
    """Call `start()` for what the test needs. Each process keeps its port over restarts."""

    def __init__(
        self,
        folder: Path,
        stores: Stores,
        broker_url: str,
        *,
        state: str = "extracted",
        more: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`more`: more variables of a process, by its name."""
        self.folder, self.stores, self.broker_url, self.more = folder, stores, broker_url, more or {}
        self.others: list[Process] = []
        self.data = MonolithData(stores)
        self.routes = folder / "routes.yaml"
        names = ("monolith", "gateway", "admin", "account", "shop", "learning", "runner")
        self.ports = {name: free_port() for name in names}
        self.write_routes(state)

    def write_routes(self, state: str, **more: object) -> None:
        """PolyCode's routes.yaml with the group of purchases in that state."""
        outline = YAML(typ="safe").load((ROOT / "routes.yaml").read_text())
        outline["groups"][_GROUP] |= {"state": state, "salt": "points-1", **more}
        self.routes.write_text(json.dumps(outline))

    def migrate(self) -> None:
        """Creates the services' tables."""
        for service in ("account", "shop", "learning"):
            folder = ROOT / "extracted" / service / "migrations"
            asyncio.run(migrations.upgrade(self.stores.database_url, service, folder))

    def start(self, *names: str) -> None:
        """Starts those, or all that a purchase needs."""
        processes: list[Process] = [getattr(self, name) for name in names or ("gateway", "account", "shop")]
        for process in processes:
            process.launch()
        for process in processes:
            process.listening()

    def another(self, name: str) -> Process:
        """A second process of a service, on the same database and broker, with its own port."""
        first: Process = getattr(self, name)
        arguments = (*first.module[:-1], str(free_port()))
        log = self.folder / f"{name}-{len(self.others) + 2}.log"
        self.others.append(Process(log.stem, arguments, first.environ, log))
        return self.others[-1]

    def end(self) -> None:
        """Ends all processes; their logs stay in the folder."""
        services = (self.account, self.shop, self.learning, self.runner, self.monolith)
        running = [process for process in (self.gateway, *self.others, *services) if process.is_running]
        for process in running:
            process.terminate()
        for process in running:
            process.stop()
        self.data.close()

    @cached_property
    def account(self) -> Process:
        own = self._service("ACCOUNT") | {"ACCOUNT_SHOP_URL": self._url("shop")}
        return self._process("account", ("extracted.account",), own | TOKENS)

    @cached_property
    def shop(self) -> Process:
        documents = {"SHOP_DOCUMENTS_URL": self.stores.documents_url} if self.stores.documents_url else {}
        return self._process("shop", ("extracted.shop",), self._service("SHOP") | documents | TOKENS)

    @cached_property
    def learning(self) -> Process:
        documents = {"LEARNING_DOCUMENTS_URL": self.stores.documents_url} if self.stores.documents_url else {}
        own = self._service("LEARNING") | {"LEARNING_RUNNER_URL": self._url("runner"), "LEARNING_RUNNER_TOKEN": RUNNER}
        return self._process("learning", ("extracted.learning",), own | documents)

    @cached_property
    def runner(self) -> Process:
        return self._process("runner", ("extracted.runner",), {"RUNNER_INTERNAL_TOKEN": RUNNER})

    @cached_property
    def monolith(self) -> Process:
        documents = ("--documents", self.stores.documents_url) if self.stores.documents_url else ()
        own = {"AUTH_JWT_SECRET": SECRET, "AUTH_JWT_ISSUER": ISSUER, "AUTH_JWT_AUDIENCE": AUDIENCE}
        own |= {"RUNNER_API_URL": self._url("runner")}
        arguments = ("examples.monolith", "--database", self.stores.monolith_database, *documents)
        return self._process("monolith", arguments, own)

    @cached_property
    def gateway(self) -> Process:
        serve = ("serve", "--routes", str(self.routes), "--state-dir", str(self.folder / "state"))
        own = {
            "MONOLITH_URL": self._url("monolith"),
            "ACCOUNT_URL": self._url("account"),
            "SHOP_URL": self._url("shop"),
            "LEARNING_URL": self._url("learning"),
            "LEGACY_DATABASE_URL": self.stores.database_url,
            "AUTH_JWT_SECRET": SECRET,
            "AUTH_JWT_ISSUER": ISSUER,
            "AUTH_JWT_AUDIENCE": AUDIENCE,
            "STRANGLER_BROKER_URL": self.broker_url,
            "STRANGLER_OPERATOR_TOKEN": OPERATOR,
            "STRANGLER_LOG_FILE": str(self.folder / "access.log"),
        }
        admin = ("--admin-port", str(self.ports["admin"]))
        return self._process("gateway", ("strangler_gateway.cli.app", *serve, *admin), own)

    def buy(self, user_token: str, item_id: str, **headers: str) -> Reply:
        """The monolith's call, through the gateway."""
        return self.ask("POST", f"/item/buy/{item_id}", user_token, **headers)

    def purchase(self, user_token: str, item_id: str, key: str | None = None) -> Reply:
        """POST /purchases, through the gateway."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", "/purchases", user_token, {"itemId": item_id}, **headers)

    def ask(self, method: str, target: str, user_token: str, body: object = None, **headers: str) -> Reply:
        """Through the gateway, as that user."""
        fields = {"Authorization": f"Bearer {user_token}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        return self._ask(self.ports["gateway"], method, target, fields, body)

    def ask_at(self, process: str, method: str, target: str, user_token: str, body: object = None) -> Reply:
        """At one process, which knows the user's own token."""
        return self._ask(self.ports[process], method, target, {"Authorization": f"Bearer {user_token}"}, body)

    def operate(self, service: str, method: str, target: str, body: object = None) -> Reply:
        """The operations API of a service."""
        return self._ask(self.ports[service], method, target, {"Authorization": f"Bearer {OPERATOR}"}, body)

    def administer(self, method: str, target: str, body: object = None) -> Reply:
        """The gateway's admin API."""
        return self._ask(self.ports["admin"], method, target, {"Authorization": f"Bearer {OPERATOR}"}, body)

    def _ask(self, port: int, method: str, target: str, fields: dict[str, str], body: object) -> Reply:
        content = None if body is None else json.dumps(body).encode()
        fields |= {"Content-Type": "application/json"} if content is not None else {}
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, target, content, fields)
            response = connection.getresponse()
            return Reply(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def _service(self, prefix: str) -> dict[str, str]:
        own = {
            "DATABASE_URL": self.stores.database_url,
            "BROKER_URL": self.broker_url,
            "JWKS_URL": f"{self._url('admin')}/.well-known/jwks.json",
            "OPERATOR_TOKEN": OPERATOR,
        }
        return {f"{prefix}_{name}": value for name, value in own.items()}

    def _process(self, name: str, module: tuple[str, ...], environ: dict[str, str]) -> Process:
        arguments = (*module, "--port", str(self.ports[name]))
        return Process(name, arguments, environ | dict(self.more.get(name, {})), self.folder / f"{name}.log")

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"


@contextmanager
def system(folder: Path, stores: Stores, broker_url: str, **options: Any) -> Iterator[System]:
    """Ends all processes with the block, and shows the end of the logs if it failed."""
    running = System(folder, stores, broker_url, **options)
    try:
        yield running
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}")
        raise
    finally:
        running.end()
