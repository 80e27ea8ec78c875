"""The demo's system: stand-in monolith, services and gateway, on free ports, with fresh credentials."""

import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chassis.database import migrations
from examples.demo.processes import Launcher
from extracted.account.purchases.storage import MIGRATIONS as ACCOUNT_MIGRATIONS
from extracted.learning.storage import MIGRATIONS as LEARNING_MIGRATIONS
from extracted.mailer.storage import MIGRATIONS as MAILER_MIGRATIONS
from extracted.shop.storage import MIGRATIONS as SHOP_MIGRATIONS
from parts.process import free_port

ROUTES = Path(__file__).parents[2] / "routes.yaml"
STRANGLER = str(Path(sys.executable).with_name("strangler"))
POLYCODE = str(Path(sys.executable).with_name("polycode"))
SERVICES = ("shop", "account", "learning")
MIGRATIONS = {"shop": SHOP_MIGRATIONS, "account": ACCOUNT_MIGRATIONS, "learning": LEARNING_MIGRATIONS}
WWW_URL = "http://localhost:4200"
"""The web client's address, with which links in mails begin."""
GROUP = "items"
"""The group of routes that the story moves."""
SMALL_GATE = rf"""  # The default gate wants 539 comparisons in shadow and 600 requests in canary. For so many the few
  # clients of the demo need minutes, and nobody's data is at risk: here four without a failure are enough,
  # eight above a share of 10 %.
  {GROUP}: {{\1, gate: {{min: 4}}}}"""
"""How the group stands in the demo's file."""
ADMIN = ("admin", "admin")
"""Identity and secret of the stand-in's seeded administrator."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """A running system. `folder` holds its routes.yaml, state, database and broker; `services` are their URLs."""

    folder: Path
    url: str
    admin_url: str
    services: Mapping[str, str] = field(default_factory=dict)

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


def inherited() -> dict[str, str]:
    """The user's environment without variables that the system reads."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def start(launcher: Launcher, folder: Path, *, with_mail: bool = False) -> DemoSystem:
    """Starts all processes in `folder`. Without mail the monolith has no mail server. Raises ProcessFailed."""
    (folder / "routes.yaml").write_text(demo_routes())
    for file in (token_file(folder), internal_token_file(folder)):
        write_secret(file)
    services: dict[str, str] = {}
    mail: dict[str, str] = {}
    if with_mail:
        services["mailer"], mail = await start_mail(launcher, folder)
    database = folder / "monolith.sqlite3"
    monolith = await launcher.start(
        "monolith", python("examples.monolith", "--seed", "demo", "--database", database), inherited() | mail
    )
    await migrate(database)
    # the gateway must know the services' ports before they start, because they ask it for its keys
    ports = {service: free_port() for service in SERVICES}
    gateway = await launcher.start("gateway", serve(folder), gateway_environ(folder, monolith.url, ports))
    for service, port in ports.items():
        environ = inherited() | service_environ(service, folder, gateway.admin_url, ports)
        services[service] = (await launcher.start(service, python(f"extracted.{service}", port=port), environ)).url
    return DemoSystem(folder, gateway.url, gateway.admin_url, services)


async def start_mail(launcher: Launcher, folder: Path) -> tuple[str, dict[str, str]]:
    """Starts a mailbox and Mailer; returns Mailer's URL and the monolith's settings for sending its mails there."""
    mailbox = await launcher.start("mailbox", python("examples.mailbox", "--folder", folder / "mails"), inherited())
    ingress, database = free_port(), folder / "mailer.sqlite3"
    database.touch(mode=0o600)
    await migrations.upgrade(f"sqlite:///{database}", "mailer", MAILER_MIGRATIONS)
    environ = inherited() | {
        "MAILER_DATABASE_URL": f"sqlite:///{database}",
        "MAILER_BROKER_URL": broker_url(folder),
        "MAILER_SMTP_HOST": "127.0.0.1",
        "MAILER_SMTP_PORT": mailbox.url.rpartition(":")[2],
        "MAILER_SMTP_TLS": "none",
        "MAILER_INGRESS_PORT": str(ingress),
        "MAILER_PUBLIC_WWW_URL": WWW_URL,
        "MAILER_OPERATOR_TOKEN_FILE": str(token_file(folder)),
    }
    mailer = await launcher.start("mailer", python("extracted.mailer"), environ)
    return mailer.url, {
        "EMAIL_PROVIDER": "SMTP",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(ingress),
        "PUBLIC_WWW_URL": WWW_URL,
    }


async def migrate(database: Path) -> None:
    """Creates the services' tables beside the monolith's, as `python -m extracted.SERVICE migrate` does."""
    for service, folder in MIGRATIONS.items():
        await migrations.upgrade(f"sqlite:///{database}", service, folder)


def python(module: str, *options: object, port: int = 0) -> list[str]:
    """The command that starts a module on a port."""
    return [sys.executable, "-m", module, "--port", str(port), *map(str, options)]


def serve(folder: Path) -> list[str]:
    """The command that starts the gateway on free ports."""
    return [
        *(STRANGLER, "serve", "--routes", str(folder / "routes.yaml"), "--state-dir", str(folder / "state")),
        *("--port", "0", "--admin-port", "0"),
    ]


def service_environ(service: str, folder: Path, admin_url: str, ports: Mapping[str, int]) -> dict[str, str]:
    """A service's settings: the monolith's data, the broker, the gateway's keys and credentials."""
    own = {
        "DATABASE_URL": f"sqlite:///{folder / 'monolith.sqlite3'}",
        "BROKER_URL": broker_url(folder),
        "JWKS_URL": f"{admin_url}/.well-known/jwks.json",
        "OPERATOR_TOKEN_FILE": str(token_file(folder)),
    } | peer_environ(service, folder, ports)
    return {f"{service.upper()}_{name}": value for name, value in own.items()}


def peer_environ(service: str, folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """Settings for calls between services: Account asks Shop for prices, with a credential that Shop knows."""
    token = str(internal_token_file(folder))
    if service == "shop":
        return {"INTERNAL_TOKEN_FILE": token}
    if service == "learning":
        return {}
    return {"SHOP_URL": f"http://127.0.0.1:{ports['shop']}", "SHOP_TOKEN_FILE": token}


def broker_url(folder: Path) -> str:
    """The broker in tables of its own file."""
    return f"sqlite:///{folder / 'broker.sqlite3'}"


def gateway_environ(folder: Path, monolith_url: str, ports: Mapping[str, int]) -> dict[str, str]:
    """The variables that routes.yaml, the gateway and its identity plugin read."""
    database = folder / "monolith.sqlite3"
    urls = {f"{service.upper()}_URL": f"http://127.0.0.1:{port}" for service, port in ports.items()}
    return inherited() | {
        "MONOLITH_URL": monolith_url,
        **urls,
        "LEGACY_DATABASE_URL": f"sqlite:///{database}",
        "AUTH_JWT_SECRET_FILE": f"{database}.secret",
        "STRANGLER_OPERATOR_TOKEN_FILE": str(token_file(folder)),
        "STRANGLER_BROKER_URL": broker_url(folder),
    }


def token_file(folder: Path) -> Path:
    """The file with the operator's credential."""
    return folder / "operator-token"


def internal_token_file(folder: Path) -> Path:
    """The file with the credential that Account sends to Shop."""
    return folder / "internal-token"


def write_secret(path: Path) -> None:
    """Writes a new random credential that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
