"""What the shop is told from outside: SHOP_… in the environment."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import settings


class Settings(settings.Settings):
    """Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="SHOP_")

    database_url: SecretStr
    """The monolith's tables: sqlite:///PATH or postgresql://…; it may hold a password. Also SHOP_DATABASE_URL_FILE."""
    documents_url: SecretStr | None = None
    """The monolith's documents: mongodb://HOST/NAME; none: in the same SQLite file. Also SHOP_DOCUMENTS_URL_FILE."""
    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "shop"
    """The service's name in routes.yaml."""
    issuer: str = "strangler"
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: helmet's header fields, or X-Powered-By."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    grace_s: int = Field(20, ge=0)
