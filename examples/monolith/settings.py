"""The stand-in's settings, from command line and environment."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_ISSUER = "https://auth.app"
DEFAULT_AUDIENCE = "https://api.app"
DEFAULT_SENDER = "noreply@polycode.do-2021.fr"
SMTP_PORT = 587
SMTPS_PORT = 465
MAX_PORT = 65_535
MAX_POOL = 1000
PASSWORD_ROUNDS = 10
MIN_ROUNDS, MAX_ROUNDS = 4, 31
"""The range that bcrypt accepts."""


class SettingsInvalid(Exception):
    """A setting is missing or unusable; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server. `secure`: TLS from the first byte; otherwise when the server offers it."""

    host: str
    port: int
    secure: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Without `smtp` no mail is sent. Links are `www_url` + path."""

    smtp: Smtp | None = None
    sender: str = DEFAULT_SENDER
    sender_name: str = "PolyCode"
    www_url: str = "http://localhost"
    verification_path: str = "/email/verification/"
    teams_path: str = "/teams"


@dataclass(frozen=True, slots=True)
class Settings:
    """`database` is a file path or an SQLAlchemy URL, `documents` a MongoDB URL; None: documents are tables, too.

    `production` selects helmet headers and short errors. Without `runner_url` no code runs.
    `pool`: how many connections failed purchases can leak; None: they leak none. `password_rounds`: bcrypt's cost.
    """

    database: str
    secret: str = field(repr=False)
    issuer: str = DEFAULT_ISSUER
    audience: str = DEFAULT_AUDIENCE
    production: bool = True
    mail: MailSettings = MailSettings()
    runner_url: str | None = None
    pool: int | None = None
    documents: str | None = field(default=None, repr=False)
    password_rounds: int = PASSWORD_ROUNDS

    @property
    def database_url(self) -> str:
        if not is_url(self.database):
            return f"sqlite+aiosqlite:///{self.database}"
        return self.database.replace("postgresql://", "postgresql+asyncpg://", 1)


def is_url(database: str) -> bool:
    return "://" in database


def from_environment(database: str, environ: Mapping[str, str], documents: str | None = None) -> Settings:
    """Reads the contract's variables; without AUTH_JWT_SECRET[_FILE] the secret is in a file beside the database."""
    return Settings(
        database=database,
        documents=documents,
        secret=environ.get("AUTH_JWT_SECRET") or secret_from_file(environ.get("AUTH_JWT_SECRET_FILE"), database),
        issuer=environ.get("AUTH_JWT_ISSUER") or DEFAULT_ISSUER,
        audience=environ.get("AUTH_JWT_AUDIENCE") or DEFAULT_AUDIENCE,
        production=environ.get("NODE_ENV", "production") == "production",
        mail=mail_from_environment(environ),
        runner_url=environ.get("RUNNER_API_URL") or None,
        pool=whole_number("LEAKING_POOL", environ, MAX_POOL) if environ.get("LEAKING_POOL") else None,
        password_rounds=whole_number("PASSWORD_ROUNDS", environ, MAX_ROUNDS, PASSWORD_ROUNDS, least=MIN_ROUNDS),
    )


def mail_from_environment(environ: Mapping[str, str]) -> MailSettings:
    """Raises SettingsInvalid for an unknown provider, and for SMTP without a server."""
    default = MailSettings()
    return MailSettings(
        smtp=smtp_from_environment(environ),
        sender=environ.get("MAIL_FROM_DO_NOT_REPLY") or default.sender,
        sender_name=environ.get("MAIL_FROM_DO_NOT_REPLY_NAME") or default.sender_name,
        www_url=environ.get("PUBLIC_WWW_URL") or default.www_url,
        verification_path=environ.get("EMAIL_VERIFICATION_PATH") or default.verification_path,
        teams_path=environ.get("EMAIL_TEAMS_PATH") or default.teams_path,
    )


def smtp_from_environment(environ: Mapping[str, str]) -> Smtp | None:
    host = environ.get("SMTP_HOST")
    provider = environ.get("EMAIL_PROVIDER") or ("SMTP" if host else "FAKE")
    if provider == "FAKE":
        return None
    if provider != "SMTP":
        raise SettingsInvalid(f"EMAIL_PROVIDER is {provider!r}; the stand-in knows SMTP and FAKE")
    if not host:
        raise SettingsInvalid("EMAIL_PROVIDER is SMTP, but SMTP_HOST is not set")
    secure = environ.get("SMTP_SECURE") == "true"
    port = whole_number("SMTP_PORT", environ, MAX_PORT, SMTPS_PORT if secure else SMTP_PORT)
    return Smtp(host, port, secure, environ.get("SMTP_USER"), environ.get("SMTP_PASSWORD"))


def whole_number(name: str, environ: Mapping[str, str], most: int, default: int = 0, *, least: int = 1) -> int:
    """Raises SettingsInvalid unless the value is a whole number from `least` to `most`."""
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise SettingsInvalid(f"{name} is {text!r}; wanted a number, {least} to {most}")
    return int(text)


def secret_from_file(file: str | None, database: str) -> str:
    return read_secret(Path(file)) if file else secret_beside(database)


def secret_beside(database: str) -> str:
    """Reads `<database>.secret` (mode 0600); writes it on first use."""
    if is_url(database):
        raise SettingsInvalid("AUTH_JWT_SECRET is not set; a database URL requires it")
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
        raise SettingsInvalid(f"the secret file {path} is empty; delete it or set AUTH_JWT_SECRET")
    return secret
