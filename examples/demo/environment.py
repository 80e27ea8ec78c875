"""Where the system keeps its data, and the variables by which its processes find it and each other."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WWW_URL = "http://localhost:4200"
"""The web client's address, with which links in mails begin."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Stores:
    """Database URLs. Without `documents_url` the monolith's documents are tables of the same SQLite file."""

    database_url: str
    broker_url: str
    mailer_url: str
    documents_url: str | None = None

    @property
    def monolith(self) -> list[str]:
        """The stand-in's options."""
        documents = ["--documents", self.documents_url] if self.documents_url else []
        return ["--database", self.database_url.removeprefix("sqlite:///"), *documents]


def embedded(folder: Path) -> Stores:
    """Three SQLite files: one for the monolith and the services, one for Mailer, and the broker's."""
    (folder / "mailer.sqlite3").touch(mode=0o600)  # it holds mails
    database, broker, mailer = (f"sqlite:///{folder / name}.sqlite3" for name in ("monolith", "broker", "mailer"))
    return Stores(database, broker, mailer)


def inherited() -> dict[str, str]:
    """The user's environment without variables that the system reads."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def service_environ(
    service: str, folder: Path, stores: Stores, admin_url: str, ports: Mapping[str, int]
) -> dict[str, str]:
    """A service's settings: the monolith's data, the broker, the gateway's keys and credentials."""
    own = {
        "DATABASE_URL": stores.database_url,
        "BROKER_URL": stores.broker_url,
        "JWKS_URL": f"{admin_url}/.well-known/jwks.json",
        "OPERATOR_TOKEN_FILE": str(token_file(folder)),
    } | peer_environ(service, folder, stores, ports)
    return {f"{service.upper()}_{name}": value for name, value in own.items()}


def peer_environ(service: str, folder: Path, stores: Stores, ports: Mapping[str, int]) -> dict[str, str]:
    """What not every service has: documents, a secret, others: Account asks Shop for prices, Learning has code run."""
    token = str(internal_token_file(folder))
    documents = {"DOCUMENTS_URL": stores.documents_url} if stores.documents_url else {}
    if service == "shop":
        return {"INTERNAL_TOKEN_FILE": token, **documents}
    if service == "learning":
        runner = {"RUNNER_URL": url_at(ports["runner"]), "RUNNER_TOKEN_FILE": token} if "runner" in ports else {}
        return documents | runner
    return {
        "SHOP_URL": url_at(ports["shop"]),
        "SHOP_TOKEN_FILE": token,
        "AUTH_JWT_SECRET_FILE": str(jwt_secret_file(folder)),
    }


def url_at(port: int) -> str:
    """Of a process on this machine."""
    return f"http://127.0.0.1:{port}"


def mailer_environ(folder: Path, stores: Stores, smtp_port: str, ingress_port: int) -> dict[str, str]:
    """Mailer's settings; it sends to the mail server at `smtp_port`."""
    return {
        "MAILER_DATABASE_URL": stores.mailer_url,
        "MAILER_BROKER_URL": stores.broker_url,
        "MAILER_SMTP_HOST": "127.0.0.1",
        "MAILER_SMTP_PORT": smtp_port,
        "MAILER_SMTP_TLS": "none",
        "MAILER_INGRESS_PORT": str(ingress_port),
        "MAILER_PUBLIC_WWW_URL": WWW_URL,
        "MAILER_OPERATOR_TOKEN_FILE": str(token_file(folder)),
    }


def gateway_environ(folder: Path, stores: Stores, monolith_url: str, ports: Mapping[str, int]) -> dict[str, str]:
    """The variables that routes.yaml, the gateway and its identity plugin read."""
    urls = {f"{service.upper()}_URL": url_at(port) for service, port in ports.items()}
    return {
        "MONOLITH_URL": monolith_url,
        **urls,
        "LEGACY_DATABASE_URL": stores.database_url,
        "STRANGLER_OPERATOR_TOKEN_FILE": str(token_file(folder)),
        "POLYCODE_OPERATOR_TOKEN_FILE": str(token_file(folder)),
        "STRANGLER_BROKER_URL": stores.broker_url,
    }


def token_file(folder: Path) -> Path:
    """The file with the operator's credential."""
    return folder / "operator-token"


def internal_token_file(folder: Path) -> Path:
    """The file with the credential that services send to each other."""
    return folder / "internal-token"


def jwt_secret_file(folder: Path) -> Path:
    """The file with the secret by which the monolith and Account sign tokens, and the gateway verifies them."""
    return folder / "jwt-secret"


def write_secret(path: Path) -> None:
    """Writes a new random credential that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
