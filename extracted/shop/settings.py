"""What the shop is told from outside: SHOP_… in the environment. Each secret also as a file: SHOP_X_FILE."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.service import settings


class DatabaseSettings(settings.ServiceSettings):
    """What migrations need."""

    model_config = SettingsConfigDict(env_prefix="SHOP_")

    database_url: SecretStr
    """The monolith's tables, and the shop's own: sqlite:///PATH or postgresql://…; it may hold a password."""


class Settings(DatabaseSettings):
    """Times in seconds."""

    documents_url: SecretStr | None = None
    """The monolith's documents: mongodb://HOST/NAME; none: in the same SQLite file."""
    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH; none: nothing is sold through queues, and items have no quantities."""
    internal_token: SecretStr | None = Field(None, min_length=16)
    """What Account shows to ask for offers; none: nobody can."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """What operators show; none: there is nothing to look at."""
    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "shop"
    """The service's name in routes.yaml."""
    issuer: str = "strangler"
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: helmet's header fields, or X-Powered-By."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    grace_s: int = Field(20, ge=0)
