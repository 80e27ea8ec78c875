"""What Account is told from outside: ACCOUNT_… in the environment. Each secret also as a file: ACCOUNT_X_FILE."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.account.domain import Compat


class DatabaseSettings(settings.ServiceSettings):
    """What migrations need."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNT_")

    database_url: SecretStr
    """The monolith's database: sqlite:///PATH or postgresql://…; it may hold a password."""


class Settings(DatabaseSettings):
    """Times in seconds."""

    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH: what sends mail is served (sign-up, e-mails, teams); none: the rest works."""
    shop_url: str | None = Field(None, pattern=r"^https?://[^/\s]+\S*$")
    """Where Shop listens; with its token and the broker things can be bought here."""
    shop_token: SecretStr | None = Field(None, min_length=16)
    """What Shop wants to see: its SHOP_INTERNAL_TOKEN."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """What operators show; none: there is nothing to look at."""
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
    ask_again_s: float = Field(5, gt=0)
    """How long Shop may take to answer before it is asked again."""
    cancel_after_s: float = Field(30, gt=0)
    """How long Shop may be silent before a purchase is cancelled."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    grace_s: int = Field(20, ge=0)

    @property
    def sells(self) -> bool:
        """Whether things can be bought here."""
        return self.shop_url is not None and self.shop_token is not None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        shop = [self.shop_url is not None, self.shop_token is not None]
        if any(shop) and not (all(shop) and self.broker_url is not None):
            raise ValueError(
                "to buy needs ACCOUNT_BROKER_URL, ACCOUNT_SHOP_URL and ACCOUNT_SHOP_TOKEN together; "
                "mail needs ACCOUNT_BROKER_URL alone"
            )
        return self
