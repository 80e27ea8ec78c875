"""The demo's system: stand-in monolith, services and gateway, on free ports, with fresh credentials."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from chassis.database import migrations
from examples.demo.discovered import InConsul
from examples.demo.environment import (
    WWW_URL,
    Stores,
    embedded,
    gateway_environ,
    inherited,
    internal_token_file,
    jwt_secret_file,
    mailer_environ,
    service_environ,
    token_file,
    url_at,
    write_secret,
)
from examples.demo.processes import Launcher
from extracted.account.purchases.storage import MIGRATIONS as ACCOUNT_MIGRATIONS
from extracted.learning.storage import MIGRATIONS as LEARNING_MIGRATIONS
from extracted.mailer.storage import MIGRATIONS as MAILER_MIGRATIONS
from extracted.shop.storage import MIGRATIONS as SHOP_MIGRATIONS
from parts.ports import free_port

ROUTES = Path(__file__).parents[2] / "routes.yaml"
STRANGLER = str(Path(sys.executable).with_name("strangler"))
POLYCODE = str(Path(sys.executable).with_name("polycode"))
MIGRATIONS = {"shop": SHOP_MIGRATIONS, "account": ACCOUNT_MIGRATIONS, "learning": LEARNING_MIGRATIONS}
GROUP = "items"
"""The group of routes that the story moves."""
SMALL_GATE = """  # The default gate wants 539 comparisons in shadow and 600 requests in canary. For so many the few
  # clients of the demo need minutes, and nobody's data is at risk: here {least} without a failure are enough,
  # {double} above a share of 10 %.
"""
"""Why the gate is small, in the file."""
TOKENS = frozenset({"AUTH_JWT_ISSUER", "AUTH_JWT_AUDIENCE"})
"""Of the monolith's variables those that Account has, too, with its prefix."""
ADMIN = ("admin", "admin")
"""Identity and secret of the stand-in's seeded administrator."""


class Endable(Protocol):
    """A process, here or elsewhere."""

    async def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """A running system. `folder` holds its routes.yaml, state and credentials; `services` are their URLs.

    `more_urls`: of the other gateways, where there are several.
    """

    folder: Path
    url: str
    admin_url: str
    services: Mapping[str, str] = field(default_factory=dict)
    monolith: Endable | None = None
    more_urls: Sequence[str] = ()

    @property
    def operator_token(self) -> Path:
        """The file with the operator's credential, mode 0600."""
        return token_file(self.folder)

    @property
    def mails(self) -> Path:
        """The folder with a file for each mail, when there is a mailbox."""
        return self.folder / "mails"

    @property
    def credential(self) -> dict[str, str]:
        """The operator's header field for the admin API."""
        return {"Authorization": f"Bearer {self.operator_token.read_text().strip()}"}

    @property
    def variables(self) -> dict[str, str]:
        """The variables by which `strangler` and `polycode` find what they operate, and their credential."""
        urls = {f"POLYCODE_{service.upper()}_URL": url for service, url in self.services.items()}
        return {
            "STRANGLER_ADMIN_URL": self.admin_url,
            "STRANGLER_ADMIN_TOKEN_FILE": str(self.operator_token),
            **urls,
            "POLYCODE_OPERATOR_TOKEN_FILE": str(self.operator_token),
        }

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which a terminal uses the system."""
        return inherited() | self.variables


def demo_routes() -> str:
    """The shipped routes.yaml, in which the story's group has a small gate."""
    return with_small_gate(ROUTES.read_text(), GROUP, 4)


def with_small_gate(text: str, group: str, least: int) -> str:
    """The text of a routes file in which a group has `gate: {min: …}`."""
    line = rf"{SMALL_GATE.format(least=least, double=2 * least)}  {group}: {{\1, gate: {{min: {least}}}}}"
    found, number = re.subn(rf"^  {re.escape(group)}: {{(.*?)}}", line, text, flags=re.MULTILINE)
    assert number == 1, f"{ROUTES.name} has no group {group} in one line"
    return found


async def start(
    launcher: Launcher,
    folder: Path,
    stores: Stores | None = None,
    *,
    seed: str = "demo",
    routes: str | None = None,
    monolith_environ: Mapping[str, str] = MappingProxyType({}),
    with_mail: bool = False,
    with_runner: bool = False,
    in_consul: InConsul | None = None,
) -> DemoSystem:
    """Starts all processes in `folder`. Raises ProcessFailed.

    Without mail the monolith has no mail server; without a runner no submitted code runs. `routes`: the text of
    routes.yaml. `in_consul`: where the gateway finds the services. The gateway's identity plugin and the runner read
    some variables of the monolith, too.
    """
    stores = stores or embedded(folder)
    text = routes or demo_routes()
    if in_consul is not None:
        text = in_consul.routes(text)
        await in_consul.register(launcher)
    (folder / "routes.yaml").write_text(text)
    for file in (token_file(folder), internal_token_file(folder), jwt_secret_file(folder)):
        write_secret(file)
    shared = inherited() | {"AUTH_JWT_SECRET_FILE": str(jwt_secret_file(folder))} | dict(monolith_environ)
    services: dict[str, str] = {}
    own: dict[str, str] = {}
    # processes must know each other's ports before they start
    ports = {service: free_port() for service in MIGRATIONS}
    if with_mail:
        services["mailer"], own = await start_mail(launcher, folder, stores)
    if with_runner:
        ports["runner"] = await _start_runner(launcher, folder, shared)
        own |= {"RUNNER_API_URL": url_at(ports["runner"])}
    monolith = await launcher.start(
        "monolith", python("examples.monolith", "--seed", seed, *stores.monolith), shared | own
    )
    await migrate(stores)
    environ = shared | gateway_environ(folder, stores, monolith.url, ports)
    environ |= {"MAILER_URL": services["mailer"]} if with_mail else {}
    environ |= in_consul.gateway_environ if in_consul is not None else {}
    gateway = await launcher.start("gateway", serve(folder), environ)
    given = {name: monolith_environ[name] for name in TOKENS & monolith_environ.keys()}
    for service in MIGRATIONS:
        environ = inherited() | service_environ(service, folder, stores, gateway.admin_url, ports)
        environ |= {f"{service.upper()}_{name}": value for name, value in given.items()}
        command = python(f"extracted.{service}", port=ports[service])
        services[service] = (await launcher.start(service, command, environ)).url
    return DemoSystem(folder, gateway.url, gateway.admin_url, services, monolith)


async def _start_runner(launcher: Launcher, folder: Path, shared: Mapping[str, str]) -> int:
    """Its port."""
    port = free_port()
    own = {
        "RUNNER_INTERNAL_TOKEN_FILE": str(internal_token_file(folder)),
        "RUNNER_OPERATOR_TOKEN_FILE": str(token_file(folder)),
    }
    await launcher.start("runner", python("extracted.runner", port=port), {**shared, **own})
    return port


async def start_mail(launcher: Launcher, folder: Path, stores: Stores) -> tuple[str, dict[str, str]]:
    """Starts a mailbox and Mailer; returns Mailer's URL and the monolith's settings for sending its mails there."""
    mailbox = await launcher.start("mailbox", python("examples.mailbox", "--folder", folder / "mails"), inherited())
    await migrations.upgrade(stores.mailer_url, "mailer", MAILER_MIGRATIONS)
    ingress = free_port()
    own = mailer_environ(folder, stores, mailbox.url.rpartition(":")[2], ingress)
    mailer = await launcher.start("mailer", python("extracted.mailer"), inherited() | own)
    return mailer.url, {
        "EMAIL_PROVIDER": "SMTP",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(ingress),
        "PUBLIC_WWW_URL": WWW_URL,
    }


async def migrate(stores: Stores) -> None:
    """Creates the services' tables beside the monolith's, as `python -m extracted.SERVICE migrate` does."""
    for service, folder in MIGRATIONS.items():
        await migrations.upgrade(stores.database_url, service, folder)


def python(module: str, *options: object, port: int = 0) -> list[str]:
    """The command that starts a module on a port."""
    return [sys.executable, "-m", module, "--port", str(port), *map(str, options)]


def serve(folder: Path) -> list[str]:
    """The command that starts the gateway on free ports."""
    return [
        *(STRANGLER, "serve", "--routes", str(folder / "routes.yaml"), "--state-dir", str(folder / "state")),
        *("--port", "0", "--admin-port", "0"),
    ]
