"""Who failed, at which stage; the status follows here and only here (RFC 9209)."""

import ssl
from dataclasses import dataclass
from socket import gaierror

from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.proxy_status import ErrorType


@dataclass(slots=True)
class UpstreamError(Exception):
    """An upstream did not answer as it should. `stage`: connect | response | body; `code`: a word of RFC 9209 §2.3."""

    code: ErrorType
    message: str
    stage: str
    retry_after_s: int = 5
    """When to come again, of what is known to be unavailable."""

    def __post_init__(self) -> None:
        Exception.__init__(self, self.message)

    @property
    def status(self) -> int:
        """502, or 504 for what took too long, or 503 for what is known to be unavailable."""
        return _STATUS.get(self.code, 502)

    def reply(self) -> Reply:
        """What the client gets, if nothing of a response has gone out yet."""
        fields = ((b"Retry-After", b"%d" % self.retry_after_s),) if self.status == 503 else ()
        return Reply(self.status, self.code, self.message, fields)


_STATUS = {
    "connection_timeout": 504,
    "http_response_timeout": 504,
    "connection_limit_reached": 503,
    "destination_unavailable": 503,
}

_CONNECT: tuple[tuple[type[Exception], ErrorType, str], ...] = (
    (TimeoutError, "connection_timeout", "could not be connected to in time"),
    (ssl.SSLCertVerificationError, "tls_certificate_error", "has a certificate that is not trusted"),
    (ssl.SSLError, "tls_protocol_error", "failed the TLS handshake"),
    (gaierror, "dns_error", "has a name that cannot be resolved"),
    (ConnectionRefusedError, "connection_refused", "refused the connection"),
    (ConnectionError, "connection_terminated", "ended the connection"),
    (OSError, "destination_ip_unroutable", "cannot be reached"),
)


def connect_error(service: str, exc: Exception) -> UpstreamError:
    """Translates what connecting raised, most specific first."""
    for kind, code, message in _CONNECT:
        if isinstance(exc, kind):
            return UpstreamError(code, f"The upstream {service} {message}.", "connect")
    raise exc
