"""Account's settings: ACCOUNT_… in the environment. A secret X can also be a file: ACCOUNT_X_FILE."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.account.attempts.domain import AttemptRules, AttemptScope
from extracted.account.domain import Compat
from extracted.identity_server.service_settings import CallingSettings


class DatabaseSettings(settings.ServiceSettings):
    """The setting that migrations need."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNT_")

    database_url: SecretStr
    """The monolith's database: sqlite:///PATH or postgresql://…; it may contain a password."""


class Settings(CallingSettings, DatabaseSettings):
    """All settings; times are in seconds."""

    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH. Without it, Account serves nothing that sends mail (sign-up, e-mails, teams)."""
    shop_url: str | None = Field(None, pattern=r"^https?://[^/\s]+\S*$")
    """Where Shop listens. Purchases need it, the broker, and Shop's token or a client secret of Keycloak."""
    shop_token: SecretStr | None = Field(None, min_length=16)
    """Shop's SHOP_INTERNAL_TOKEN."""
    service_client_id: str = "polycode-account"
    """Account's own client in Keycloak."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """The operators' credential. Without it there are no routes below /internal/."""
    auth_jwt_secret: SecretStr | None = Field(None, min_length=1)
    """The secret that the monolith signs its tokens with (its AUTH_JWT_SECRET). Without it, nobody logs in here."""
    auth_jwt_issuer: str = "https://auth.app"
    """The `iss` of these tokens (its AUTH_JWT_ISSUER)."""
    auth_jwt_audience: str = "https://api.app"
    """Their `aud` (its AUTH_JWT_AUDIENCE)."""
    keycloak_url: str | None = Field(None, pattern=r"^https?://[^/\s]+\S*$")
    """Where Keycloak is, as Account reaches it. Its secrets below say what for: log-in, calls of Shop, or both."""
    keycloak_client_id: str = "polycode"
    """The client that users are logged in with; only its tokens are accepted."""
    keycloak_client_secret: SecretStr | None = None
    """Its secret. Without it, the monolith's tables are the authority of log-in."""
    keycloak_admin_client_id: str = "polycode-identity"
    """The client whose service account manages users."""
    keycloak_admin_client_secret: SecretStr | None = None
    """Its secret."""
    keycloak_timeout_s: float = Field(5, gt=0)
    """How long Account waits for Keycloak. Then the monolith's tables decide."""
    login_failures_per_pair: int = Field(10, ge=0)
    """How many failed log-ins of one user from one address cost no wait, within the window. 0: any number."""
    login_failures_per_address: int = Field(200, ge=0)
    """The same of all users from one address (of IPv6: a /64), except those who have logged in from there before."""
    login_failures_per_user: int = Field(50, ge=0)
    """The same of one user from all addresses, except those from which the user has logged in before."""
    login_window_s: float = Field(3600, gt=0)
    """So many failures are forgotten in this time, evenly."""
    login_longest_wait_s: float = Field(300, gt=0)
    """Above, waits double from 1 s up to this."""
    login_known_days: float = Field(90, ge=0)
    """How long an address from which a user has logged in is known."""
    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "account"
    """The service's name in routes.yaml."""
    issuer: str = "strangler"
    """The `iss` of the gateway's tokens."""
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: it decides between helmet's header fields and X-Powered-By."""
    compat: Compat = Compat.STRICT
    """Which of the monolith's faults Account keeps: see README.md in this folder."""
    database_timeout_s: float = Field(60, gt=0)
    """How long a request waits for a connection or another writer; the monolith's pool waits as long."""
    ask_again_s: float = Field(5, gt=0)
    """How long Account waits for Shop's answer before it asks again."""
    cancel_after_s: float = Field(30, gt=0)
    """How long Shop may be silent before Account cancels a purchase."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious lines that are logged."""
    grace_s: int = Field(20, ge=0)
    """At a stop: how long requests and messages under way may take."""

    @property
    def sells(self) -> bool:
        """True if users can buy here."""
        return self.shop_url is not None and self.proves_itself(self.shop_token)

    @property
    def attempt_rules(self) -> AttemptRules:
        """For failed log-ins."""
        failures = {
            AttemptScope.PAIR: self.login_failures_per_pair,
            AttemptScope.ADDRESS: self.login_failures_per_address,
            AttemptScope.USER: self.login_failures_per_user,
        }
        return AttemptRules(
            failures=failures,
            window=timedelta(seconds=self.login_window_s),
            longest_wait=timedelta(seconds=self.login_longest_wait_s),
            known_for=timedelta(days=self.login_known_days),
        )

    @property
    def logs_in_at_keycloak(self) -> bool:
        """True if users log in there."""
        return self.keycloak_url is not None and self.keycloak_client_secret is not None

    @model_validator(mode="after")
    def _keycloak_or_not(self) -> Self:
        secrets = [self.keycloak_client_secret is not None, self.keycloak_admin_client_secret is not None]
        calls_only = self.service_client_secret is not None and not any(secrets)
        if calls_only or (self.keycloak_url is None and not any(secrets)):
            return self
        if self.keycloak_url is None or not all(secrets) or self.auth_jwt_secret is None:
            raise ValueError(
                "log-in with Keycloak needs ACCOUNT_KEYCLOAK_URL, ACCOUNT_KEYCLOAK_CLIENT_SECRET, "
                "ACCOUNT_KEYCLOAK_ADMIN_CLIENT_SECRET and ACCOUNT_AUTH_JWT_SECRET together"
            )
        return self

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        wanted = self.shop_url is not None or self.shop_token is not None
        if wanted and not (self.sells and self.broker_url is not None):
            raise ValueError(
                "purchases need ACCOUNT_BROKER_URL, ACCOUNT_SHOP_URL and ACCOUNT_SHOP_TOKEN (or "
                "ACCOUNT_SERVICE_CLIENT_SECRET) together; mail needs only ACCOUNT_BROKER_URL"
            )
        return self
