"""The whole system for the recorded conversation: monolith, services and the real gateway, on one database."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from ruamel.yaml import YAML

from strangler_gateway.config.file import load
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route
from tests.http.gateway_process import GatewayProcess
from tests.recordings.conversation import PRODUCTION
from tests.recordings.mail_sink import MailSink, mail_server
from tests.recordings.replay import Step
from tests.recordings.running import Running, running_monolith_on
from tests.support.connected import fresh_rabbit
from tests.support.monolith.monolith_file import SECRET
from tests.support.stores import Stores, on_real_parts, on_sqlite
from tests.unit.extracted.mailer.running import running_mailer
from tests.unit.extracted.running import Gateway
from tests.unit.extracted.services import running_services

if TYPE_CHECKING:
    from tests.support.keycloak.identity import AppliedRealm

ROUTES = Path(__file__).parents[2] / "routes.yaml"
OPERATOR_TOKEN = "an-operator-token-of-the-test-run"
SAFE = ("GET", "HEAD")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Routes:
    """routes.yaml, with every group that a service can answer in one state."""

    def __init__(self) -> None:
        self._outline: dict[str, Any] = YAML(typ="safe").load(ROUTES.read_text())
        self.table = load(ROUTES.read_text(), {})
        self._matcher = Matcher(self.table)
        moving = [route for route in self.table.routes if route.extracted]
        self.groups = {route.movable.name for route in moving}
        self.services = {route.extracted.name for route in moving if route.extracted}

    def text(self, state: str, salt: str = "", **more: str) -> str:
        """The file's text. `salt`: one for all groups; `more`: what else each group says."""
        place = {"state": state, **more} | ({"share": 50, "salt": salt} if state == "canary" else {})
        groups = {
            name: group | (place if name in self.groups else {}) for name, group in self._outline["groups"].items()
        }
        return json.dumps(self._outline | {"groups": groups})  # JSON is YAML

    def route(self, step: Step) -> Route:
        """The route that matches the step."""
        route, _ = self._matcher.match(step.method.encode(), step.target.partition("?")[0].encode())
        return route

    def moves(self, step: Step) -> bool:
        """Whether a service can answer the step."""
        return step.method != "OPTIONS" and self.route(step).extracted is not None


@dataclass(frozen=True)
class Parts:
    """Stores, broker and Mailer's database."""

    stores: Stores
    broker_url: str
    mailer_url: str
    realm: "AppliedRealm | None" = None
    """Of Keycloak, if Account logs users in there."""


def embedded(directory: Path) -> Parts:
    broker, mailer = (f"sqlite:///{directory / name}.sqlite3" for name in ("broker", "mailer"))
    return Parts(on_sqlite(directory), broker, mailer)


def with_keycloak(directory: Path) -> Parts:
    """The embedded ones, and a realm of its own on a real Keycloak."""
    from tests.support.keycloak.identity import applied_realm  # its library takes long to import

    return replace(embedded(directory), realm=applied_realm())


def real(directory: Path) -> Parts:
    """Fails when a part is missing."""
    stores = on_real_parts(directory)
    return Parts(stores, fresh_rabbit(), stores.database_url)


@dataclass(frozen=True)
class Strangled:
    """The running system; its mails arrive in `sink`."""

    routes: Routes
    file: Path
    gateway: GatewayProcess
    log: Path
    sink: MailSink
    monolith: Running
    environ: Mapping[str, str]
    """What the gateway and its routes.yaml read."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    def administer(self, method: str, path: str, **document: object) -> dict[str, Any]:
        """The admin API's answer to the document; the test fails unless it is a 200."""
        url = f"http://127.0.0.1:{self.gateway.admin_port}{path}"
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        answer = httpx.request(method, url, json=document, headers=headers, timeout=20, trust_env=False)
        return dict(answer.raise_for_status().json())

    def requests(self) -> list[dict[str, Any]]:
        """The access log's requests in order. Stops the gateway, which writes its last lines then."""
        self.gateway.stop()
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if line.get("event") == "request"]


@contextmanager
def strangled(directory: Path, parts: Parts, state: str, runner_url: str, **more: str) -> Iterator[Strangled]:
    """Starts all from a bare seed, with every group that a service can answer in that state. `more`: of each group."""
    file, log = directory / "routes.yaml", directory / "access.log"
    routes = Routes()
    file.write_text(routes.text(state, "first", **more))
    with ExitStack() as stack:
        enter = stack.enter_context
        sink, provider = enter(mail_server())
        smtp = provider | {"SMTP_PORT": str(_ingress(stack, parts, provider))}
        variables = PRODUCTION | smtp | {"RUNNER_API_URL": runner_url, "AUTH_JWT_SECRET": SECRET}
        monolith = enter(running_monolith_on(parts.stores, environ=variables))
        keys = Gateway()
        stack.callback(keys.close)
        form = {name: PRODUCTION[name] for name in ("AUTH_JWT_ISSUER", "AUTH_JWT_AUDIENCE")}
        form |= _of_account(parts)
        services = running_services(stack, parts.stores, parts.broker_url, keys, runner_url, account=form)
        assert services.keys() == routes.services
        urls = {"monolith": monolith.url} | {name: f"http://127.0.0.1:{one.port}" for name, one in services.items()}
        environ = _environ(parts, urls, keys, log)
        gateway = GatewayProcess(file, directory / "state", environ)
        stack.callback(gateway.stop)
        yield Strangled(routes, file, gateway, log, sink, monolith, environ)


def _ingress(stack: ExitStack, parts: Parts, provider: Mapping[str, str]) -> int:
    """Starts a Mailer that sends the monolith's and Account's mails; returns the port of its ingress."""
    variables = {name: provider[name] for name in ("SMTP_HOST", "SMTP_PORT")}
    content = {"PUBLIC_WWW_URL": PRODUCTION["PUBLIC_WWW_URL"], "INGRESS_PORT": "0"}
    mailer = stack.enter_context(running_mailer(parts.mailer_url, parts.broker_url, **variables, **content))
    return int(next(line["port"] for line in mailer.logged() if line["event"] == "ingress_listens"))


def _environ(parts: Parts, urls: Mapping[str, str], keys: Gateway, log: Path) -> Mapping[str, str]:
    return {f"{name.upper()}_URL": url for name, url in urls.items()} | {
        "AUTH_JWT_SECRET": SECRET,
        "AUTH_JWT_ISSUER": PRODUCTION["AUTH_JWT_ISSUER"],
        "AUTH_JWT_AUDIENCE": PRODUCTION["AUTH_JWT_AUDIENCE"],
        "LEGACY_DATABASE_URL": parts.stores.database_url,
        "STRANGLER_SIGNING_KEY": keys.signing_key,
        "STRANGLER_OPERATOR_TOKEN": OPERATOR_TOKEN,
        "STRANGLER_LOG_FILE": str(log),
        "STRANGLER_BROKER_URL": parts.broker_url,
        **_of_keycloak(parts),
    }


def _of_account(parts: Parts) -> Mapping[str, str]:
    if parts.realm is None:
        return {}
    from tests.support.keycloak.identity import account_settings

    return account_settings(parts.realm)


def _of_keycloak(parts: Parts) -> Mapping[str, str]:
    """What routes.yaml reads."""
    if parts.realm is None:
        return {}
    server = parts.realm.server
    return {"KEYCLOAK_ENABLED": "true", "KEYCLOAK_URL": server.url, "KEYCLOAK_REALM": server.realm}
