"""Everything that is configured from outside: environment variables with the prefix SERVICE_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis import settings


class Settings(settings.ServiceSettings):
    """Checked once, at the start."""

    model_config = SettingsConfigDict(env_prefix="SERVICE_")

    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "reading"
    """The service's name in routes.yaml."""
    database: Path | None = None
    """The monolith's SQLite file. None: the service does not serve /shelf."""
