"""The gateway as an application: one pure-ASGI middleware around Starlette: the steps, then forward or publish."""

from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from strangler_gateway.exchange.errors import ClientGone, UpstreamError, reason_phrase
from strangler_gateway.exchange.exchange import Exchange, Reply
from strangler_gateway.http.request_head import BadRequest, parse_request
from strangler_gateway.publish.publish import publish
from strangler_gateway.steps.forward import Receive, Send, relay
from strangler_gateway.steps.pipeline import Gateway, run, run_on


class Pipeline:
    """Takes every HTTP request; what is behind it never sees one."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app = app
        self.gateway = gateway

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1011, "reason": "WebSocket needs the gateway's own server"})
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Any, receive: Receive, send: Send) -> None:
        own = scope.get("extensions", {}).get("strangler")
        if own is not None:
            await self._answer(own["exchange"], own["outcome"], receive, send)
            return
        try:
            x = exchange_of(self.gateway, scope)
        except BadRequest as exc:
            await self._reply(Reply(exc.status, "http_request_error", exc.message), None, send)
            return
        try:
            await self._answer(x, None, receive, send)
        finally:
            self.gateway.finish(x)

    async def _answer(self, x: Exchange, outcome: Any, receive: Receive, send: Send) -> None:
        gateway = self.gateway
        reply = await run_on(gateway, x, outcome if outcome is not None else run(gateway, x))
        if reply is None:
            try:
                if x.publish is None:
                    await relay(gateway, x, receive, send)
                    return
                reply = await publish(gateway, x, receive)
            except ClientGone:
                x.stage, x.status = b"client", x.status or 499
                return
            except UpstreamError as error:
                x.stage = error.stage.encode()
                if x.status:
                    await send({"type": "strangler.abort"})
                    return
                reply = error.reply()
        await self._reply(reply, x, send)

    async def _reply(self, reply: Reply, x: Exchange | None, send: Send) -> None:
        fields, body = self.gateway.own_answer(reply, x)
        if x is not None:
            x.status = reply.status
            if x.method == b"HEAD":
                body = b""
        reason = reason_phrase(reply.status).encode()
        await send({"type": "http.response.start", "status": reply.status, "headers": fields, "reason": reason})
        await send({"type": "http.response.body", "body": body})


def exchange_of(gateway: Gateway, scope: Any) -> Exchange:
    """An exchange from another server's scope, read as strictly as our own. Raises BadRequest."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in scope["headers"]])
    raw_path = scope.get("raw_path") or scope["path"].encode("latin-1")
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    head = b"%b %b%b HTTP/%b\r\n%b\r\n" % (
        scope["method"].encode(),
        raw_path,
        query,
        scope["http_version"][:3].encode(),
        lines,
    )
    settings = gateway.settings
    request = parse_request(head, settings.max_request_line, settings.max_header, settings.max_fields)
    request.websocket = False
    return gateway.exchange(request, (scope.get("client") or ("",))[0], scope["scheme"].encode())


def application(gateway: Gateway) -> ASGIApp:
    """The ASGI application of the public port: outermost, since it catches its own errors and streams every message."""
    return Pipeline(Starlette(), gateway)
