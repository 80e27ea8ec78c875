"""The system of the demo: stand-in monolith, services and gateway, on free ports, with credentials of its own."""

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.database import migrations
from examples.demo.processes import Children
from extracted.account.purchases.storage import MIGRATIONS as OF_ACCOUNT
from extracted.mailer.storage import MIGRATIONS as OF_MAILER
from extracted.shop.storage import MIGRATIONS as OF_SHOP
from parts.process import free_port

ROUTES = Path(__file__).parents[2] / "routes.yaml"
STRANGLER = str(Path(sys.executable).with_name("strangler"))
SERVICES = ("shop", "account")
MIGRATIONS = {"shop": OF_SHOP, "account": OF_ACCOUNT}
WWW_URL = "http://localhost:4200"
"""Where the web client would be: links in mails begin with it."""
GROUP = "items"
"""The group of routes that the story moves."""
ADMIN = ("admin", "admin")
"""Identity and secret of the stand-in's seeded administrator."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class System:
    """Where it can be reached. `folder` holds routes.yaml, the state, database and broker of this run alone."""

    folder: Path
    url: str
    admin_url: str

    @property
    def operator_token(self) -> Path:
        """The file with the credential that may flip, mode 0600."""
        return token_file(self.folder)

    @property
    def mails(self) -> Path:
        """A file for each mail, where there is a mailbox."""
        return self.folder / "mails"

    @property
    def credential(self) -> dict[str, str]:
        """The header field that lets an operator in."""
        return {"Authorization": f"Bearer {self.operator_token.read_text().strip()}"}

    @property
    def environ(self) -> dict[str, str]:
        """What `strangler` needs to find the gateway and be let in."""
        return inherited() | {
            "STRANGLER_ADMIN_URL": self.admin_url,
            "STRANGLER_ADMIN_TOKEN_FILE": str(self.operator_token),
        }


def inherited() -> dict[str, str]:
    """The user's environment without what the parts of the system read."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def start(children: Children, folder: Path, *, with_mail: bool = False) -> System:
    """Starts all of them in `folder`. Without mail the monolith has no mail server. Raises ProcessFailed."""
    shutil.copy(ROUTES, folder / "routes.yaml")
    for file in (token_file(folder), internal_token_file(folder)):
        write_secret(file)
    mail = await post_office(children, folder) if with_mail else {}
    database = folder / "monolith.sqlite3"
    monolith = await children.start(
        "monolith", python("examples.monolith", "--seed", "demo", "--database", database), inherited() | mail
    )
    await migrate(database)
    # the gateway has to know their ports first, since they ask the gateway for its keys
    ports = {service: free_port() for service in SERVICES}
    gateway = await children.start("gateway", serve(folder), gateway_environ(folder, monolith.url, ports))
    for service, port in ports.items():
        environ = inherited() | service_environ(service, folder, gateway.admin_url, ports)
        await children.start(service, python(f"extracted.{service}", port=port), environ)
    return System(folder, gateway.url, gateway.admin_url)


async def post_office(children: Children, folder: Path) -> dict[str, str]:
    """A mailbox, and Mailer before it; what the monolith has to be told so that its mails go there."""
    mailbox = await children.start("mailbox", python("examples.mailbox", "--folder", folder / "mails"), inherited())
    ingress, database = free_port(), folder / "mailer.sqlite3"
    database.touch(mode=0o600)
    await migrations.upgrade(f"sqlite:///{database}", "mailer", OF_MAILER)
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
    await children.start("mailer", python("extracted.mailer"), environ)
    return {
        "EMAIL_PROVIDER": "SMTP",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(ingress),
        "PUBLIC_WWW_URL": WWW_URL,
    }


async def migrate(database: Path) -> None:
    """Makes the services' own tables beside the monolith's, as `python -m extracted.SERVICE migrate` does."""
    for service, folder in MIGRATIONS.items():
        await migrations.upgrade(f"sqlite:///{database}", service, folder)


def python(module: str, *options: object, port: int = 0) -> list[str]:
    """The command of a part."""
    return [sys.executable, "-m", module, "--port", str(port), *map(str, options)]


def serve(folder: Path) -> list[str]:
    """The command of the gateway, on free ports."""
    return [
        *(STRANGLER, "serve", "--routes", str(folder / "routes.yaml"), "--state-dir", str(folder / "state")),
        *("--port", "0", "--admin-port", "0"),
    ]


def service_environ(service: str, folder: Path, admin_url: str, ports: Mapping[str, int]) -> dict[str, str]:
    """What a service reads: where the monolith's data, the broker and the gateway's keys are, and credentials."""
    own = {
        "DATABASE_URL": f"sqlite:///{folder / 'monolith.sqlite3'}",
        "BROKER_URL": broker_url(folder),
        "JWKS_URL": f"{admin_url}/.well-known/jwks.json",
        "OPERATOR_TOKEN_FILE": str(token_file(folder)),
    } | of_the_other(service, folder, ports)
    return {f"{service.upper()}_{name}": value for name, value in own.items()}


def of_the_other(service: str, folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """Account asks Shop what an item costs, with a credential that Shop knows."""
    token = str(internal_token_file(folder))
    if service == "shop":
        return {"INTERNAL_TOKEN_FILE": token}
    return {"SHOP_URL": f"http://127.0.0.1:{ports['shop']}", "SHOP_TOKEN_FILE": token}


def broker_url(folder: Path) -> str:
    """Of the broker in tables of a file of its own."""
    return f"sqlite:///{folder / 'broker.sqlite3'}"


def gateway_environ(folder: Path, monolith_url: str, ports: Mapping[str, int]) -> dict[str, str]:
    """What routes.yaml, the gateway and its identity plugin read."""
    database = folder / "monolith.sqlite3"
    urls = {f"{service.upper()}_URL": f"http://127.0.0.1:{port}" for service, port in ports.items()}
    return inherited() | {
        "MONOLITH_URL": monolith_url,
        **urls,
        "LEGACY_DATABASE_URL": f"sqlite:///{database}",
        "AUTH_JWT_SECRET_FILE": f"{database}.secret",
        "STRANGLER_OPERATOR_TOKEN_FILE": str(token_file(folder)),
        "STRANGLER_LOG_FILE": str(folder / "access.log"),
        "STRANGLER_BROKER_URL": broker_url(folder),
    }


def token_file(folder: Path) -> Path:
    """Where the operator credential lies."""
    return folder / "operator-token"


def internal_token_file(folder: Path) -> Path:
    """Where the credential lies that Account shows to Shop."""
    return folder / "internal-token"


def write_secret(path: Path) -> None:
    """A new random credential, readable by its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
