"""Mailer's settings: MAILER_… in the environment. Each secret may be a file: MAILER_X_FILE."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis import settings
from extracted.mailer.delivery.provider import TlsMode
from extracted.mailer.loopback import is_loopback


class MailerSettings(settings.ServiceSettings):
    """The base of all groups of settings."""

    model_config = SettingsConfigDict(env_prefix="MAILER_")


class MailerDatabaseSettings(MailerSettings):
    """The settings that `migrate` needs."""

    database_url: SecretStr
    """sqlite:///PATH or postgresql://…; it may hold a password."""


class ProviderSettings(MailerSettings):
    """The provider, and how fast it is sent to."""

    smtp_host: str = Field(min_length=1)
    """The provider's SMTP server."""
    smtp_port: int = Field(25, ge=1, le=65535)
    """Its port."""
    smtp_tls: TlsMode = TlsMode.STARTTLS
    """none, starttls or implicit; certificates are verified."""
    smtp_ca_file: Path | None = None
    """Trusted instead of the system's authorities."""
    smtp_user: str | None = None
    """The user at the provider. None: no AUTH."""
    smtp_password: SecretStr | None = None
    """Its password."""
    rate_per_s: float | None = Field(None, gt=0)
    """None: no limit."""
    senders: int = Field(4, ge=0, le=64)
    """How many mails this process sends at once; 0: it only accepts requests."""

    @model_validator(mode="after")
    def _credentials_are_whole_and_safe(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("MAILER_SMTP_USER and MAILER_SMTP_PASSWORD: wanted both or none")
        if self.smtp_user is not None and self.smtp_tls is TlsMode.NONE and not is_loopback(self.smtp_host):
            raise ValueError(
                "MAILER_SMTP_USER with MAILER_SMTP_TLS=none: the password would travel in plain text to "
                "MAILER_SMTP_HOST; wanted TLS beyond this machine; set MAILER_SMTP_TLS to starttls or implicit, "
                "or remove the user"
            )
        return self


class IngressSettings(MailerSettings):
    """The SMTP server for the monolith's mails."""

    ingress_host: str = "127.0.0.1"
    """The address of the SMTP server for the monolith."""
    ingress_port: int | None = Field(None, ge=0, le=65535)
    """Usually 8125; None: no ingress."""
    ingress_user: str | None = None
    """The user that the monolith must show. None: no AUTH."""
    ingress_password: SecretStr | None = None
    """Its password."""
    ingress_certificate_file: Path | None = None
    """For STARTTLS; with its intermediate certificates."""
    ingress_key_file: Path | None = None
    """The key of that certificate."""
    ingress_allow_plain: bool = False
    """Accepts a password without TLS, also from other machines."""

    @model_validator(mode="after")
    def _ingress_pairs_are_whole(self) -> Self:
        if (self.ingress_user is None) != (self.ingress_password is None):
            raise ValueError("MAILER_INGRESS_USER and MAILER_INGRESS_PASSWORD: wanted both or none")
        if (self.ingress_certificate_file is None) != (self.ingress_key_file is None):
            raise ValueError("MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE: wanted both or none")
        return self


class ContentSettings(MailerSettings):
    """Sender and links of every mail."""

    public_www_url: str = Field(pattern=r"^https?://[^/\s]+\S*$")
    """The URL of PolyCode's pages: links begin with it."""
    email_verification_path: str = Field("/email/verification/", pattern=r"^/\S*$")
    """The page that verifies an address; the token follows it."""
    email_teams_path: str = Field("/teams", pattern=r"^/\S*$")
    """The page of teams."""
    from_name: str = "PolyCode"
    """The name of the sender."""
    from_: str = Field("noreply@polycode.do-2021.fr", validation_alias="MAILER_FROM")
    """The address of the sender."""


class TimingSettings(MailerSettings):
    """Time limits and retry delays, in seconds. provider.py and outcomes.py explain them."""

    smtp_connect_s: float = Field(30, gt=0)
    """Each step up to AUTH."""
    smtp_command_s: float = Field(60, gt=0)
    """Each reply to MAIL and RCPT, and to DATA."""
    smtp_data_s: float = Field(120, gt=0)
    """To transmit the message."""
    smtp_answer_s: float = Field(600, gt=0)
    """Until the provider replies to the message; after that the mail is ambiguous."""
    retry_first_s: float = Field(60, gt=0)
    """After a 4xx; doubled each time."""
    retry_longest_s: float = Field(3600, gt=0)
    """The longest delay of that kind."""
    retry_quota_s: float = Field(600, gt=0)
    """After a quota."""
    retry_away_s: float = Field(30, gt=0)
    """While the provider does not answer."""
    retry_ambiguous_s: float = Field(900, gt=0)
    """Until a mail without an answer is sent again, if its kind allows that."""
    retry_attempts: int = Field(18, ge=1)
    """After so many attempts a mail has failed."""
    breaker_s: float = Field(5, gt=0)
    """How long the breaker stays open after five failures in a row; doubled up to a minute."""


class Settings(MailerDatabaseSettings, ProviderSettings, IngressSettings, ContentSettings, TimingSettings):
    """All settings. Times are in seconds unless the name says days."""

    broker_url: SecretStr
    """amqp://… or sqlite:///PATH."""
    internal_token: SecretStr | None = Field(None, min_length=16)
    """The token of services; none: they cannot use HTTP."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """The token of operators; none: their routes do not exist."""
    alarm_after_s: float = Field(300.0, gt=0)
    """How long a due mail may wait before an error is logged."""
    retention_days: int = Field(30, ge=1, le=3650)
    """How long the content of a finished mail is kept."""
    database_timeout_s: float = Field(5.0, gt=0)
    """How long to wait for a connection or another writer."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious lines that are logged."""
    grace_s: int = Field(20, ge=0)
    """At a stop: how long mails and requests under way may take."""
