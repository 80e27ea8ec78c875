"""The parts that settings make: provider, content, ingress. Whatever they say wrong is a SettingsInvalid."""

import ssl
from datetime import timedelta

from chassis.service.settings import SettingsInvalid, revealed
from extracted.mailer.addresses import canonical
from extracted.mailer.delivery.outcomes import Patience
from extracted.mailer.delivery.pacing import BREAKING, Breaking, Pacing
from extracted.mailer.delivery.provider import Provider, Timeouts
from extracted.mailer.delivery.writing import Writer
from extracted.mailer.ports import Kinds, RequestInvalid
from extracted.mailer.service import Intake
from extracted.mailer.settings import Content, Ingress, Outward, Pace
from extracted.mailer.smtp_in.ingress import Ingress as Listener
from extracted.mailer.smtp_in.values import IngressUnsafe, Listening, tls_context
from extracted.mailer.smtp_out.client import SmtpTransport
from extracted.mailer.templating.template_files import TemplatesInvalid
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links


def kinds(content: Content) -> Kinds:
    """All templates, read once."""
    paths = content.email_verification_path, content.email_teams_path
    try:
        return Templates(Links(content.public_www_url, *paths))
    except TemplatesInvalid as error:
        raise SettingsInvalid(str(error)) from error


def writer(content: Content, known: Kinds) -> Writer:
    """Of whom all mails are."""
    return Writer(known, content.from_name, _from(content))


def _from(content: Content) -> str:
    try:
        return canonical(content.from_)
    except RequestInvalid as error:
        raise SettingsInvalid(f"MAILER_FROM: {error}") from error


def timeouts(pace: Pace) -> Timeouts:
    """Of each step with the provider."""
    return Timeouts(pace.smtp_connect_s, pace.smtp_command_s, pace.smtp_data_s, pace.smtp_answer_s)


def patience(pace: Pace) -> Patience:
    """Until the next try."""
    first, longest, quota = (
        timedelta(seconds=of) for of in (pace.retry_first_s, pace.retry_longest_s, pace.retry_quota_s)
    )
    away, again = timedelta(seconds=pace.retry_away_s), timedelta(seconds=pace.retry_ambiguous_s)
    return Patience(first, longest, pace.retry_attempts, quota, away, again)


def pacing(outward: Outward, pace: Pace) -> Pacing:
    """One for all senders."""
    breaking = Breaking(first_s=pace.breaker_s, longest_s=max(pace.breaker_s, BREAKING.longest_s))
    return Pacing(outward.rate_per_s, breaking=breaking)


def transport(outward: Outward, content: Content, timeouts: Timeouts) -> SmtpTransport:
    """The way to the provider; nothing is opened yet. Its EHLO names the domain that mails are from."""
    login = outward.smtp_user, revealed(outward.smtp_password)
    where, name = (outward.smtp_host, outward.smtp_port, outward.smtp_tls), _from(content).rpartition("@")[2]
    try:
        return SmtpTransport(Provider(*where, *login, outward.smtp_ca_file, name), timeouts)
    except OSError as error:
        raise SettingsInvalid(f"MAILER_SMTP_CA_FILE cannot be used ({type(error).__name__})") from error


def ingress(settings: Ingress, intake: Intake) -> Listener | None:
    """None: no mails come in by SMTP."""
    if settings.ingress_port is None:
        return None
    login = settings.ingress_user, revealed(settings.ingress_password)
    guard = _ingress_tls(settings), settings.ingress_allow_plain
    try:
        return Listener(Listening(settings.ingress_host, settings.ingress_port, *login, *guard), intake)
    except IngressUnsafe as error:
        raise SettingsInvalid(str(error)) from error


def _ingress_tls(settings: Ingress) -> ssl.SSLContext | None:
    certificate, key = settings.ingress_certificate_file, settings.ingress_key_file
    if certificate is None or key is None:
        return None
    try:
        return tls_context(certificate, key)
    except (OSError, ValueError) as error:
        raise SettingsInvalid(
            f"MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE cannot be used ({type(error).__name__}); "
            "wanted a certificate and its key, both PEM, the key without a password"
        ) from error
