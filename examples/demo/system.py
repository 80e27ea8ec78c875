"""The system of the demo: stand-in monolith, services and gateway, on free ports, with credentials of its own."""

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.demo.processes import Children

ROUTES = Path(__file__).parents[2] / "routes.yaml"
STRANGLER = str(Path(sys.executable).with_name("strangler"))
SERVICES = ("shop", "account")
GROUP = "items"
"""The group of routes that the story moves."""
ADMIN = ("admin", "admin")
"""Identity and secret of the stand-in's seeded administrator."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class System:
    """Where it can be reached. `folder` holds routes.yaml, the state and the database of this run alone."""

    folder: Path
    url: str
    admin_url: str

    @property
    def operator_token(self) -> Path:
        """The file with the credential that may flip, mode 0600."""
        return token_file(self.folder)

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


async def start(children: Children, folder: Path) -> System:
    """Starts all of them in `folder`. Raises ProcessFailed."""
    shutil.copy(ROUTES, folder / "routes.yaml")
    write_secret(token_file(folder))
    database = folder / "monolith.sqlite3"
    monolith = await children.start(
        "monolith", python("examples.monolith", "--seed", "demo", "--database", database), inherited()
    )
    # the gateway has to know their ports first, since they ask the gateway for its keys
    ports = {service: free_port() for service in SERVICES}
    gateway = await children.start("gateway", serve(folder), gateway_environ(folder, monolith.url, ports))
    for service, port in ports.items():
        environ = inherited() | service_environ(service, database, gateway.admin_url)
        await children.start(service, python(f"extracted.{service}", port=port), environ)
    return System(folder, gateway.url, gateway.admin_url)


def python(module: str, *options: object, port: int = 0) -> list[str]:
    """The command of a part."""
    return [sys.executable, "-m", module, "--port", str(port), *map(str, options)]


def serve(folder: Path) -> list[str]:
    """The command of the gateway, on free ports."""
    return [
        *(STRANGLER, "serve", "--routes", str(folder / "routes.yaml"), "--state-dir", str(folder / "state")),
        *("--port", "0", "--admin-port", "0"),
    ]


def service_environ(service: str, database: Path, admin_url: str) -> dict[str, str]:
    """What a service reads: where the monolith's data are, and the gateway's keys."""
    own = {"DATABASE_URL": f"sqlite:///{database}", "JWKS_URL": f"{admin_url}/.well-known/jwks.json"}
    return {f"{service.upper()}_{name}": value for name, value in own.items()}


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
    }


def token_file(folder: Path) -> Path:
    """Where the operator credential lies."""
    return folder / "operator-token"


def write_secret(path: Path) -> None:
    """A new random credential, readable by its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
