"""Learning's settings: LEARNING_… in the environment. A secret X can also be a file: LEARNING_X_FILE."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.identity_server.service_settings import CallingSettings
from extracted.learning.domain import Compat


class LearningDatabaseSettings(settings.ServiceSettings):
    """The setting that migrations need."""

    model_config = SettingsConfigDict(env_prefix="LEARNING_")

    database_url: SecretStr
    """The database with the monolith's users and Learning's own tables: sqlite:///PATH or postgresql://…"""


class Settings(CallingSettings, LearningDatabaseSettings):
    """All settings; times are in seconds."""

    documents_url: SecretStr | None = None
    """The monolith's documents: mongodb://HOST/NAME. None: they are in the same SQLite file."""
    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH. None: nobody submits here, because rewards go to Account by message."""
    runner_url: str | None = Field(None, pattern=r"^https?://[^/\s]+\S*$")
    """Where Runner listens. None: no code is run here."""
    runner_token: SecretStr | None = Field(None, min_length=16)
    """Runner's RUNNER_INTERNAL_TOKEN."""
    service_client_id: str = "polycode-learning"
    """Learning's own client in Keycloak."""
    submission_timeout_s: float = Field(45, gt=1)
    """How long the runs of one request may take together, waiting included. The web client waits for 60."""
    runs_at_once: int = Field(16, gt=0)
    """How many requests may have code run at the same time; the next ones wait."""
    payment_wait_s: float = Field(0.5, ge=0)
    """How long the answer to a first success waits at most for Account to pay the reward. 0: it does not wait."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """The operators' credential. None: their routes do not exist."""
    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "learning"
    """The service's name in routes.yaml."""
    issuer: str = "strangler"
    """The `iss` of the gateway's tokens."""
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: it decides between helmet's header fields and X-Powered-By."""
    compat: Compat = Compat.STRICT
    """Which of the monolith's faults Learning keeps: see README.md in this folder."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious lines that are logged."""
    grace_s: int = Field(20, ge=0)
    """At a stop: how long requests under way may take."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        wanted = self.runner_url is not None or self.runner_token is not None
        if wanted and not (self.runner_url is not None and self.proves_itself(self.runner_token)):
            raise ValueError(
                "to run code, LEARNING_RUNNER_URL and LEARNING_RUNNER_TOKEN (or LEARNING_SERVICE_CLIENT_SECRET) "
                "are needed together"
            )
        return self
