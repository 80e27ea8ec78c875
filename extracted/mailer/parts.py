"""The parts that settings make: provider, content, ingress. Whatever they say wrong is a SettingsInvalid."""

from pydantic import SecretStr

from chassis.settings import SettingsInvalid
from extracted.mailer.addresses import canonical
from extracted.mailer.kind_files import TemplatesInvalid
from extracted.mailer.kinds import Templates
from extracted.mailer.ports import Kinds, RequestInvalid
from extracted.mailer.provider import Provider
from extracted.mailer.settings import Content, Outward
from extracted.mailer.smtp import SmtpTransport
from extracted.mailer.variables import Links
from extracted.mailer.writing import Writer


def kinds(content: Content) -> Kinds:
    """All templates, read once."""
    paths = content.email_verification_path, content.email_teams_path
    try:
        return Templates(Links(content.public_www_url, *paths))
    except TemplatesInvalid as error:
        raise SettingsInvalid(str(error)) from error


def writer(content: Content, known: Kinds) -> Writer:
    """Of whom all mails are."""
    try:
        return Writer(known, content.from_name, canonical(content.from_))
    except RequestInvalid as error:
        raise SettingsInvalid(f"MAILER_FROM: {error}") from error


def transport(outward: Outward) -> SmtpTransport:
    """The way to the provider; nothing is opened yet."""
    login = outward.smtp_user, revealed(outward.smtp_password)
    try:
        return SmtpTransport(
            Provider(outward.smtp_host, outward.smtp_port, outward.smtp_tls, *login, outward.smtp_ca_file)
        )
    except OSError as error:
        raise SettingsInvalid(f"MAILER_SMTP_CA_FILE cannot be used ({type(error).__name__})") from error


def revealed(secret: SecretStr | None) -> str | None:
    """None: there is none."""
    return None if secret is None else secret.get_secret_value()
