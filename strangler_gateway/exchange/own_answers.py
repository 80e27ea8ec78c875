"""Answers of the gateway's own as fields and body: marked (RFC 9209), dated, shaped by `errors:` of routes.yaml."""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply, ReplyContent
from strangler_gateway.http.fields import Pairs
from strangler_gateway.table.current_table import CurrentTable
from strangler_gateway.table.routes import ErrorTemplate, RouteTable


class OwnAnswers:
    """`name`: how the gateway calls itself in Proxy-Status."""

    def __init__(self, name: str, current: CurrentTable, http_date: Callable[[], bytes]) -> None:
        self._name, self._current, self._http_date = name, current, http_date
        self._made: tuple[Reply, RouteTable, bytes, bytes] | None = None

    def of(self, reply: Reply, exchange: Exchange | None) -> tuple[Pairs, bytes]:
        """(fields, body) for the client; `exchange` is None for what never became a request."""
        fields, body = self.undated(reply, exchange)
        fields.append((b"Date", self._http_date()))
        if exchange is not None:
            fields += exchange.extra_fields
            fields += told_decision(exchange)
        return fields, body

    def whole(self, reply: Reply) -> bytes:
        """An answer of which nothing depends on the request, head and body: the same bytes for a second."""
        http_date, made, table = self._http_date, self._made, self._current.table
        date = http_date()
        if made is None or made[0] is not reply or made[1] is not table or made[2] is not date:
            fields, body = self.of(reply, None)
            lines = b"".join([b"%b: %b\r\n" % pair for pair in fields])
            head = b"HTTP/1.1 %d %b\r\n" % (reply.status, reason_phrase(reply.status).encode())
            made = self._made = reply, table, date, head + lines + b"\r\n" + body
        return made[3]

    def undated(self, reply: Reply, exchange: Exchange | None) -> tuple[Pairs, bytes]:
        """(fields, body) without Date, and without what was worked out for the client on the way."""
        table, request_id = self._current.table, b""
        if exchange is not None:
            table, request_id = exchange.table, exchange.request_id
        fields, body = render(reply, self._name, table.errors, request_id)
        if table.reflects_origin:
            fields += allowed_origin(exchange, fields)
        return fields, body


def allowed_origin(exchange: Exchange | None, fields: Pairs) -> Pairs:
    """What lets a page of another origin read an answer that has these fields (Fetch §3.2, `cors:` of routes.yaml).

    `exchange` is None where nothing of the request is known.
    """
    names = {name.lower() for name, _ in fields}
    if b"access-control-allow-origin" in names:
        return []
    readable = [(b"Access-Control-Expose-Headers", b"Retry-After")] if b"retry-after" in names else []
    if exchange is None:
        return [(b"Access-Control-Allow-Origin", b"*"), *readable]
    varies = (b"Vary", b"Origin")
    origins = [value for name, value in exchange.head.fields if name.lower() == b"origin"]
    if len(origins) != 1:
        return [varies]
    return [(b"Access-Control-Allow-Origin", origins[0]), varies, *readable]


def told_decision(exchange: Exchange) -> Pairs:
    """The decision as a field, for a client that showed the debug credential."""
    decision = exchange.decision
    if not exchange.debug or decision is None:
        return []
    return [(b"Strangler-Decision", f"{decision.side}; {decision.reason}; {exchange.route.id}".encode())]


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


def _shaped(reply: Reply, templates: Mapping[str, ErrorTemplate], request_id: bytes) -> ReplyContent:
    template = templates.get(str(reply.status)) or templates.get("default")
    values = {
        "status": reply.status,
        "reason": reason_phrase(reply.status),
        "message": reply.message,
        "code": reply.code,
        "request_id": request_id.decode("latin-1"),
    }
    if template is not None:
        return ReplyContent(template.content_type, _fill(template.body, values))
    said = {"statusCode": reply.status, "message": reply.message, "error": values["reason"]}
    return ReplyContent("application/json; charset=utf-8", json.dumps(said))


_PLACEHOLDER = re.compile(r"\{(status|reason|message|code|request_id)\}")


def _fill(body: str, values: Mapping[str, object]) -> str:
    """Text is escaped as JSON escapes it, which is safe in plain text too; nothing filled in is filled again."""
    return _PLACEHOLDER.sub(lambda found: _text(values[found[1]]), body)


def _text(value: object) -> str:
    return json.dumps(value)[1:-1] if isinstance(value, str) else str(value)
