"""What Account is told from outside: ACCOUNT_… in the environment."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.account.domain import Compat


class Settings(settings.Settings):
    """Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNT_")

    database_url: SecretStr
    """The monolith's database: sqlite:///PATH; it may hold a password. Also ACCOUNT_DATABASE_URL_FILE."""
    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "account"
    """The service's name in routes.yaml."""
    issuer: str = "strangler"
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: helmet's header fields, or X-Powered-By."""
    compat: Compat = Compat.STRICT
    """Which of the monolith's faults are kept: README.md beside this file."""
    database_timeout_s: float = Field(60, gt=0)
    """How long a request waits for a connection, or for another writer: as long as the monolith's pool waits."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    grace_s: int = Field(20, ge=0)
