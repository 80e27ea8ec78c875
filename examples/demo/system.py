"""The demo's system: stand-in monolith, services and gateway, on free ports, with fresh credentials."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from chassis.database import migrations
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
    write_secret,
)
from examples.demo.processes import LaunchedProcess, Launcher
from extracted.account.purchases.storage import MIGRATIONS as ACCOUNT_MIGRATIONS
from extracted.learning.storage import MIGRATIONS as LEARNING_MIGRATIONS
from extracted.mailer.storage import MIGRATIONS as MAILER_MIGRATIONS
from extracted.shop.storage import MIGRATIONS as SHOP_MIGRATIONS
from parts.process import free_port

ROUTES = Path(__file__).parents[2] / "routes.yaml"
STRANGLER = str(Path(sys.executable).with_name("strangler"))
POLYCODE = str(Path(sys.executable).with_name("polycode"))
MIGRATIONS = {"shop": SHOP_MIGRATIONS, "account": ACCOUNT_MIGRATIONS, "learning": LEARNING_MIGRATIONS}
GROUP = "items"
"""The group of routes that the story moves."""
SMALL_GATE = rf"""  # The default gate wants 539 comparisons in shadow and 600 requests in canary. For so many the few
  # clients of the demo need minutes, and nobody's data is at risk: here four without a failure are enough,
  # eight above a share of 10 %.
  {GROUP}: {{\1, gate: {{min: 4}}}}"""
"""How the group stands in the demo's file."""
ADMIN = ("admin", "admin")
"""Identity and secret of the stand-in's seeded administrator."""


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """A running system. `folder` holds its routes.yaml, state and credentials; `services` are their URLs."""

    folder: Path
    url: str
    admin_url: str
    services: Mapping[str, str] = field(default_factory=dict)
    monolith: LaunchedProcess | None = None

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
    """The shipped routes.yaml, in which the story's group has a `min` of its own."""
    text, number = re.subn(rf"^  {GROUP}: {{(.*?)}}", SMALL_GATE, ROUTES.read_text(), flags=re.MULTILINE)
    assert number == 1, f"{ROUTES.name} has no group {GROUP} in one line"
    return text


async def start(
    launcher: Launcher,
    folder: Path,
    stores: Stores | None = None,
    *,
    seed: str = "demo",
    routes: str | None = None,
    monolith_environ: Mapping[str, str] = MappingProxyType({}),
    with_mail: bool = False,
) -> DemoSystem:
    """Starts all processes in `folder`. Raises ProcessFailed.

    Without mail the monolith has no mail server. `routes`: the text of routes.yaml. The gateway's identity plugin reads
    some variables of the monolith, too.
    """
    stores = stores or embedded(folder)
    (folder / "routes.yaml").write_text(routes or demo_routes())
    for file in (token_file(folder), internal_token_file(folder), jwt_secret_file(folder)):
        write_secret(file)
    shared = inherited() | {"AUTH_JWT_SECRET_FILE": str(jwt_secret_file(folder))} | dict(monolith_environ)
    services: dict[str, str] = {}
    mail: dict[str, str] = {}
    if with_mail:
        services["mailer"], mail = await start_mail(launcher, folder, stores)
    monolith = await launcher.start(
        "monolith", python("examples.monolith", "--seed", seed, *stores.monolith), shared | mail
    )
    await migrate(stores)
    # the gateway must know the services' ports before they start, because they ask it for its keys
    ports = {service: free_port() for service in MIGRATIONS}
    environ = shared | gateway_environ(folder, stores, monolith.url, ports)
    gateway = await launcher.start("gateway", serve(folder), environ)
    for service, port in ports.items():
        environ = inherited() | service_environ(service, folder, stores, gateway.admin_url, ports)
        services[service] = (await launcher.start(service, python(f"extracted.{service}", port=port), environ)).url
    return DemoSystem(folder, gateway.url, gateway.admin_url, services, monolith)


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
