"""Who failed, at which stage; the status, the mark (RFC 9209) and the body of an answer follow here and only here."""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from socket import gaierror

from strangler_gateway.exchange.exchange import Content, Reply
from strangler_gateway.table.routes import ErrorTemplate


class ClientGone(Exception):
    """The client has left before its answer was complete."""


@dataclass(slots=True)
class UpstreamError(Exception):
    """An upstream did not answer as it should. `stage`: connect | response | body; `code`: a word of RFC 9209 §2.3."""

    code: str
    message: str
    stage: str

    def __post_init__(self) -> None:
        Exception.__init__(self, self.message)

    @property
    def status(self) -> int:
        """502, or 504 for what took too long, or 503 for what is known to be unavailable."""
        return _STATUS.get(self.code, 502)

    def reply(self) -> Reply:
        """What the client gets, if nothing of a response has gone out yet."""
        fields = ((b"Retry-After", b"5"),) if self.status == 503 else ()
        return Reply(self.status, self.code, self.message, fields)


_STATUS = {
    "connection_timeout": 504,
    "http_response_timeout": 504,
    "connection_limit_reached": 503,
    "destination_unavailable": 503,
}

_CONNECT = (
    (TimeoutError, "connection_timeout", "could not be connected to in time"),
    (ssl.SSLCertVerificationError, "tls_certificate_error", "showed a certificate that is not trusted"),
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


def reason_phrase(status: int) -> str:
    """The phrase of RFC 9110 §15, empty for an unassigned status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def render(
    reply: Reply, name: str, templates: Mapping[str, ErrorTemplate], request_id: bytes
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """(fields, body) of an answer of the gateway's own, marked as such, shaped by `errors:` of routes.yaml."""
    mark = (b"Proxy-Status", (f"{name}; error={reply.code}" if reply.code else name).encode())
    if reply.status == 204:
        return [mark, *reply.fields], b""
    content = reply.content or _shaped(reply, templates, request_id)
    raw = content.text.encode()
    described = [(b"Content-Type", content.media_type.encode()), (b"Content-Length", b"%d" % len(raw))]
    return [*described, mark, *reply.fields], raw


def _shaped(reply: Reply, templates: Mapping[str, ErrorTemplate], request_id: bytes) -> Content:
    template = templates.get(str(reply.status)) or templates.get("default")
    values = {
        "status": reply.status,
        "reason": reason_phrase(reply.status),
        "message": reply.message,
        "code": reply.code,
        "request_id": request_id.decode("latin-1"),
    }
    if template is not None:
        return Content(template.content_type, _fill(template.body, values))
    said = {"statusCode": reply.status, "message": reply.message, "error": values["reason"]}
    return Content("application/json; charset=utf-8", json.dumps(said))


_PLACEHOLDER = re.compile(r"\{(status|reason|message|code|request_id)\}")


def _fill(body: str, values: Mapping[str, object]) -> str:
    """Text is escaped as JSON escapes it, which is safe in plain text too; nothing filled in is filled again."""
    return _PLACEHOLDER.sub(lambda found: _text(values[found[1]]), body)


def _text(value: object) -> str:
    return json.dumps(value)[1:-1] if isinstance(value, str) else str(value)
