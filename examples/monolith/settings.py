"""What the stand-in is told from outside: command line and environment."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_ISSUER = "https://auth.app"
DEFAULT_AUDIENCE = "https://api.app"


class SettingsInvalid(Exception):
    """A setting is missing or unusable; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`database` is a file path or an SQLAlchemy URL; `production` decides on helmet headers and terse errors."""

    database: str
    secret: str = field(repr=False)
    issuer: str = DEFAULT_ISSUER
    audience: str = DEFAULT_AUDIENCE
    production: bool = True

    @property
    def database_url(self) -> str:
        return self.database if is_url(self.database) else f"sqlite+aiosqlite:///{self.database}"


def is_url(database: str) -> bool:
    return "://" in database


def from_environment(database: str, environ: Mapping[str, str]) -> Settings:
    """The monolith's own variable names; the secret falls back to a file beside the database."""
    return Settings(
        database=database,
        secret=environ.get("AUTH_JWT_SECRET") or secret_beside(database),
        issuer=environ.get("AUTH_JWT_ISSUER") or DEFAULT_ISSUER,
        audience=environ.get("AUTH_JWT_AUDIENCE") or DEFAULT_AUDIENCE,
        production=environ.get("NODE_ENV", "production") == "production",
    )


def secret_beside(database: str) -> str:
    """The text of `<database>.secret` (mode 0600), written on first use."""
    if is_url(database):
        raise SettingsInvalid("AUTH_JWT_SECRET is not set; with a database URL it has to be")
    path = Path(f"{database}.secret")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_secret(path)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    return read_secret(path)


def read_secret(path: Path) -> str:
    secret = path.read_text().strip()
    if not secret:
        raise SettingsInvalid(f"{path.name} beside the database is empty; delete it or set AUTH_JWT_SECRET")
    return secret
