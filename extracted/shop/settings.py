"""The shop's settings: variables SHOP_… of the environment. Each secret can also come from a file: SHOP_X_FILE."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.identity_server.service_settings import CalledSettings


class ShopDatabaseSettings(settings.ServiceSettings):
    """The settings for `migrate`."""

    model_config = SettingsConfigDict(env_prefix="SHOP_")

    database_url: SecretStr
    """The database with the monolith's tables and the shop's own: sqlite:///PATH or postgresql://…"""


class Settings(CalledSettings, ShopDatabaseSettings):
    """The settings for `serve`. Times in seconds."""

    documents_url: SecretStr | None = None
    """The monolith's documents: mongodb://HOST/NAME. None: they are in the same SQLite file."""
    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH. None: the shop does not sell, and items have no quantities."""
    internal_token: SecretStr | None = Field(None, min_length=16)
    """Account's credential for offers. Without it and without Keycloak, the route does not exist."""
    service_audience: str = "polycode-shop"
    """The `aud` that Account's tokens of Keycloak must have."""
    service_callers: str = "polycode-account"
    """The clients of Keycloak that may ask for offers, with commas between."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """The operators' credential. None: their routes do not exist."""
    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "shop"
    """The service's name in routes.yaml."""
    issuer: str = "strangler"
    """The `iss` of the gateway's tokens."""
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: production adds helmet's header fields, development X-Powered-By."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious lines that are logged."""
    grace_s: int = Field(20, ge=0)
    """At a stop: how long requests and messages under way may take."""
