"""Opens a connection to a provider: TCP, greeting, TLS, EHLO, AUTH."""

import asyncio
import base64
import ssl
from typing import cast

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
)

from extracted.mailer.delivery.provider import Provider, SmtpTimeouts, TlsMode
from extracted.mailer.smtp_out.text import as_text


class ProviderUnavailable(Exception):
    """The provider would take no mail at all now; the message says why."""


async def connect(provider: Provider, timeouts: SmtpTimeouts, context: ssl.SSLContext | None) -> SMTP:
    """Does everything up to AUTH. Raises ProviderUnavailable."""
    client = SMTP(
        hostname=provider.host,
        port=provider.port,
        username=provider.user,
        password=provider.password,
        local_hostname=provider.name,
        timeout=timeouts.connect_s,
        use_tls=provider.tls is TlsMode.IMPLICIT,
        start_tls=provider.tls is TlsMode.STARTTLS,
        tls_context=context,
    )
    try:
        async with asyncio.timeout(timeouts.opening_s):
            await client.connect()
            await _greet(client)
    except BaseException as error:
        abort(client)
        if not isinstance(error, SMTPException | OSError | ValueError):
            raise
        raise ProviderUnavailable(_why(error, provider)) from error
    return client


async def _greet(client: SMTP) -> None:
    """Unless STARTTLS or AUTH has done so."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()


def _why(error: Exception, provider: Provider) -> str:
    where = f"{provider.host}:{provider.port}"
    match error:
        case SMTPAuthenticationError():
            return f"{where} refuses AUTH: {error.code} {_without_secrets(as_text(error.message), provider)}"
        case SMTPConnectResponseError():
            return f"{where} greets with {error.code} {as_text(error.message)}"
        case SMTPResponseException():
            return f"{where} refuses EHLO, HELO or STARTTLS: {error.code} {as_text(error.message)}"
        case ssl.SSLCertVerificationError():
            return f"{where} has a certificate that is not trusted: {as_text(error.verify_message)}"
        case TimeoutError():
            return f"{where} did not answer in time: {as_text(str(error)) or 'all steps together took too long'}"
        case _:
            return f"{where} cannot be used: {as_text(str(error)) or type(error).__name__}"


def _without_secrets(text: str, provider: Provider) -> str:
    """A server may repeat the credentials; then the text is dropped."""
    user, password = provider.user or "", provider.password or ""
    both = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    alone = base64.b64encode(password.encode()).decode()
    is_told = bool(password) and any(secret in text for secret in (password, both, alone))
    return "(it repeats the password)" if is_told else text


def abort(client: SMTP) -> None:
    """At once: a plain close would first try to get rid of what is buffered."""
    if client.transport is not None:
        writable(client.transport).abort()
    client.close()


def writable(transport: asyncio.BaseTransport) -> asyncio.WriteTransport:
    """It always is; uvloop's does not say so by its class."""
    return cast(asyncio.WriteTransport, transport)
