"""Builds the objects that depend on settings: provider, templates, ingress. A wrong setting is a SettingsInvalid."""

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta

from chassis.settings import SettingsInvalid, revealed
from extracted.mailer.addresses import canonical
from extracted.mailer.delivery.composer import Composer
from extracted.mailer.delivery.outcomes import DeliveryRetryPolicy
from extracted.mailer.delivery.provider import Provider, SmtpTimeouts
from extracted.mailer.delivery.throttle import BREAKER_LIMITS, BreakerLimits, Throttle
from extracted.mailer.ports import RequestInvalid, TemplateCatalog
from extracted.mailer.service import Intake
from extracted.mailer.settings import ContentSettings, IngressSettings, ProviderSettings, TimingSettings
from extracted.mailer.smtp_in.endpoint import IngressEndpoint, IngressUnsafe
from extracted.mailer.smtp_in.server import IngressServer
from extracted.mailer.smtp_out.client import SmtpTransport
from extracted.mailer.templating.template_files import TemplatesInvalid
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links


def templates(content: ContentSettings) -> TemplateCatalog:
    """Reads all templates once."""
    links = Links(content.public_www_url, content.email_verification_path, content.email_teams_path)
    try:
        return Templates(links)
    except TemplatesInvalid as error:
        raise SettingsInvalid(str(error)) from error


def composer(content: ContentSettings, templates: TemplateCatalog) -> Composer:
    """Writes messages from the sender that the settings name."""
    return Composer(templates, content.from_name, _sender(content))


def _sender(content: ContentSettings) -> str:
    try:
        return canonical(content.from_)
    except RequestInvalid as error:
        raise SettingsInvalid(f"MAILER_FROM: {error}") from error


def smtp_timeouts(timing: TimingSettings) -> SmtpTimeouts:
    """For each step with the provider."""
    return SmtpTimeouts(
        connect_s=timing.smtp_connect_s,
        command_s=timing.smtp_command_s,
        data_s=timing.smtp_data_s,
        dot_s=timing.smtp_answer_s,
    )


def retry_policy(timing: TimingSettings) -> DeliveryRetryPolicy:
    """When a mail is tried again."""
    return DeliveryRetryPolicy(
        first=timedelta(seconds=timing.retry_first_s),
        longest=timedelta(seconds=timing.retry_longest_s),
        attempts=timing.retry_attempts,
        quota=timedelta(seconds=timing.retry_quota_s),
        away=timedelta(seconds=timing.retry_away_s),
        again=timedelta(seconds=timing.retry_ambiguous_s),
    )


def throttle(provider: ProviderSettings, timing: TimingSettings) -> Throttle:
    """One for all senders of the process."""
    limits = BreakerLimits(first_s=timing.breaker_s, longest_s=max(timing.breaker_s, BREAKER_LIMITS.longest_s))
    return Throttle(provider.rate_per_s, breaker_limits=limits)


def transport(settings: ProviderSettings, content: ContentSettings, timeouts: SmtpTimeouts) -> SmtpTransport:
    """Opens nothing yet. EHLO gives the domain of the sender's address."""
    provider = Provider(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=revealed(settings.smtp_password),
        ca_file=settings.smtp_ca_file,
        name=_sender(content).rpartition("@")[2],
    )
    try:
        return SmtpTransport(provider, timeouts)
    except OSError as error:
        raise SettingsInvalid(f"MAILER_SMTP_CA_FILE cannot be used ({type(error).__name__})") from error


def ingress(settings: IngressSettings, intake: Intake, clock: Callable[[], datetime]) -> IngressServer | None:
    """None: no mail comes in by SMTP."""
    if settings.ingress_port is None:
        return None
    user, password = settings.ingress_user, revealed(settings.ingress_password)
    try:
        endpoint = IngressEndpoint(
            host=settings.ingress_host,
            port=settings.ingress_port,
            login=None if user is None or password is None else (user, password),
            tls=_ingress_tls(settings),
            allows_plain=settings.ingress_allow_plain,
        )
    except IngressUnsafe as error:
        raise SettingsInvalid(str(error)) from error
    return IngressServer(endpoint, intake, clock)


def _ingress_tls(settings: IngressSettings) -> ssl.SSLContext | None:
    certificate, key = settings.ingress_certificate_file, settings.ingress_key_file
    if certificate is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")  # None would ask for one at the terminal
    except (OSError, ValueError) as error:
        raise SettingsInvalid(
            f"MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE cannot be used ({type(error).__name__}); "
            "wanted a certificate and its key, both PEM, the key without a password"
        ) from error
    return context
