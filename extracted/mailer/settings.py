"""What Mailer is told from outside: MAILER_… in the environment. Each secret also as a file: MAILER_X_FILE."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.mailer.delivery.provider import TlsMode
from extracted.mailer.loopback import is_loopback


class MailerSettings(settings.ServiceSettings):
    """What all have in common."""

    model_config = SettingsConfigDict(env_prefix="MAILER_")


class MailerDatabaseSettings(MailerSettings):
    """What migrations need."""

    database_url: SecretStr
    """Mailer's own tables: sqlite:///PATH or postgresql://…; it may hold a password."""


class ProviderSettings(MailerSettings):
    """Where mails go."""

    smtp_host: str = Field(min_length=1)
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_tls: TlsMode = TlsMode.STARTTLS
    """none, starttls or implicit; certificates are verified."""
    smtp_ca_file: Path | None = None
    """Trusted instead of the system's authorities."""
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    rate_per_s: float | None = Field(None, gt=0)
    """None: as fast as senders are."""
    senders: int = Field(4, ge=0, le=64)
    """How many mails this process sends at once; 0: it takes requests alone."""

    @model_validator(mode="after")
    def _credentials_are_whole_and_safe(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("MAILER_SMTP_USER and MAILER_SMTP_PASSWORD: wanted both or none")
        if self.smtp_user is not None and self.smtp_tls is TlsMode.NONE and not is_loopback(self.smtp_host):
            raise ValueError(
                "MAILER_SMTP_USER with MAILER_SMTP_TLS=none: the password would travel in plain text to "
                "MAILER_SMTP_HOST; wanted TLS beyond this machine; set MAILER_SMTP_TLS to starttls or implicit, "
                "or take the user away"
            )
        return self


class IngressSettings(MailerSettings):
    """Where the monolith's mails come in."""

    ingress_host: str = "127.0.0.1"
    ingress_port: int | None = Field(None, ge=0, le=65535)
    """By custom 8125; None: there is no ingress."""
    ingress_user: str | None = None
    ingress_password: SecretStr | None = None
    ingress_certificate_file: Path | None = None
    """For STARTTLS; with all between it and an authority."""
    ingress_key_file: Path | None = None
    ingress_allow_plain: bool = False
    """A password is taken without TLS, though others than this machine may listen."""

    @model_validator(mode="after")
    def _ingress_pairs_are_whole(self) -> Self:
        if (self.ingress_user is None) != (self.ingress_password is None):
            raise ValueError("MAILER_INGRESS_USER and MAILER_INGRESS_PASSWORD: wanted both or none")
        if (self.ingress_certificate_file is None) != (self.ingress_key_file is None):
            raise ValueError("MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE: wanted both or none")
        return self


class ContentSettings(MailerSettings):
    """What stands in every mail."""

    public_www_url: str = Field(pattern=r"^https?://[^/\s]+\S*$")
    """Of PolyCode's pages: links begin with it."""
    email_verification_path: str = Field("/email/verification/", pattern=r"^/\S*$")
    email_teams_path: str = Field("/teams", pattern=r"^/\S*$")
    from_name: str = "PolyCode"
    from_: str = Field("noreply@polycode.do-2021.fr", validation_alias="MAILER_FROM")


class TimingSettings(MailerSettings):
    """How long each step may take, and how long until the next try; in seconds. Why these: provider.py, outcomes.py."""

    smtp_connect_s: float = Field(30, gt=0)
    """Each step until the provider has let us in."""
    smtp_command_s: float = Field(60, gt=0)
    smtp_data_s: float = Field(120, gt=0)
    """To hand over the message."""
    smtp_answer_s: float = Field(600, gt=0)
    """Of the provider, to all of it; then the mail is ambiguous."""
    retry_first_s: float = Field(60, gt=0)
    """After a 4xx; doubled each time."""
    retry_longest_s: float = Field(3600, gt=0)
    retry_quota_s: float = Field(600, gt=0)
    """After a quota."""
    retry_away_s: float = Field(30, gt=0)
    """While the provider is away."""
    retry_ambiguous_s: float = Field(900, gt=0)
    """Until a mail that got no answer is sent once more, where its kind allows it."""
    retry_attempts: int = Field(18, ge=1)
    breaker_s: float = Field(5, gt=0)
    """How long nothing is tried after five failures in a row; doubled up to a minute."""


class Settings(MailerDatabaseSettings, ProviderSettings, IngressSettings, ContentSettings, TimingSettings):
    """Times in seconds unless they say days."""

    broker_url: SecretStr
    """amqp://… or sqlite:///PATH."""
    internal_token: SecretStr | None = Field(None, min_length=16)
    """What services show to ask for mails and to look at one; none: they cannot by HTTP."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """What operators show; none: there is nothing to look at."""
    alarm_after_s: float = Field(300.0, gt=0)
    """How long a mail may wait to be sent before it is logged as an error."""
    retention_days: int = Field(30, ge=1, le=3650)
    """So long the content of a mail is kept that is at rest."""
    database_timeout_s: float = Field(5.0, gt=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    grace_s: int = Field(20, ge=0)
