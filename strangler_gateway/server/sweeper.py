"""The one timer of the process: time-outs of all connections and calls, the log, the certificate."""

import asyncio
from collections.abc import Callable

from strangler_gateway.server.certificate import Certificate
from strangler_gateway.server.uvicorn_server import Server
from strangler_gateway.settings import Settings

_SWEEP_S = 0.25
_CERTIFICATE_S = 5.0


async def sweep_for_ever(
    public: Server, settings: Settings, now: Callable[[], float], *others: Callable[[], None]
) -> None:
    """`others` are called each time, too."""
    certificate, next_certificate = _certificate(settings, public), 0.0
    while True:
        await asyncio.sleep(_SWEEP_S)
        seconds = now()
        for other in others:
            other()
        for connection in list(public.clients):
            connection.sweep(seconds)
        if certificate is not None and seconds >= next_certificate:
            next_certificate = seconds + _CERTIFICATE_S
            certificate.refresh()


def _certificate(settings: Settings, public: Server) -> Certificate | None:
    if settings.tls_cert is None or public.config.ssl is None:
        return None
    return Certificate(public.config.ssl, settings.tls_cert, settings.tls_key)
