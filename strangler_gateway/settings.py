"""The settings of a gateway process: from the command line, the environment (STRANGLER_*) or secret files."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_SECRETS = ("broker_url", "debug_token", "operator_token", "reader_token", "signing_key")


class Settings(BaseSettings):
    """Sizes in bytes, times in seconds; port 0 takes a free one. A secret can also come from the file in NAME_FILE."""

    model_config = SettingsConfigDict(env_prefix="STRANGLER_", frozen=True, extra="ignore")

    routes: Path = Path("routes.yaml")
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    admin_host: str = "127.0.0.1"
    admin_port: int = Field(8081, ge=0, le=65535)
    state_dir: Path | None = None
    name: str = Field("strangler", pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
    log_file: Path | None = None
    log_fields: str = Field("", pattern=r"^(|(path|user)(,(path|user))*)$")
    """More fields of each request's log line: `path`, `user`, or `path,user`. They are personal data."""

    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH, for routes that publish; it may contain a password."""
    debug_token: SecretStr | None = None
    operator_token: SecretStr | None = None
    reader_token: SecretStr | None = None
    signing_key: SecretStr | None = None

    max_request_line: int = Field(16 * 1024, ge=64)
    max_header: int = Field(64 * 1024, ge=256)
    max_fields: int = Field(200, ge=1)
    max_response_header: int = Field(64 * 1024, ge=256)
    max_connections: int = Field(10_000, ge=1)
    max_waiting: int = Field(1_000, ge=1)
    """How many requests may wait for the result of their message at the same time."""
    header_timeout_s: float = Field(30.0, gt=0)
    body_timeout_s: float = Field(60.0, gt=0)
    keep_alive_s: float = Field(75.0, gt=0)
    linger_s: float = Field(2.0, ge=0)
    grace_s: float = Field(0.0, ge=0)
    drain_s: float = Field(20.0, ge=0)

    tls_cert: Path | None = None
    tls_key: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: Any) -> Any:
        """STRANGLER_X_FILE names a file that contains the secret X."""
        for name in _SECRETS:
            path = os.environ.get(f"STRANGLER_{name.upper()}_FILE")
            if path and not values.get(name):
                values[name] = _secret(name, path)
        return values

    @property
    def state(self) -> Path:
        """The state directory; by default .strangler beside the routes file."""
        return self.state_dir or self.routes.resolve().parent / ".strangler"


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"STRANGLER_{name.upper()}_FILE names {path}, which cannot be read: {exc}") from exc
