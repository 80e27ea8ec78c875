"""The fast lane: relays client and upstream callback to callback; it holds no logic of its own."""

from typing import TYPE_CHECKING

from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.http.fields import Pairs, allowed_trailers
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.steps.forward import (
    client_fields,
    client_lines,
    fail_over,
    open_call,
    request_end,
    request_piece,
)

if TYPE_CHECKING:
    from strangler_gateway.server.connection import ClientConnection
    from strangler_gateway.steps.pipeline import Gateway


class Relay:
    """One exchange between a client connection and an upstream call: the lane of the one, the sink of the other."""

    __slots__ = ("call", "client", "gateway", "nominated", "x")

    def __init__(self, client: "ClientConnection", gateway: "Gateway", x: Exchange) -> None:
        self.client = client
        self.gateway = gateway
        self.x = x
        self.nominated: frozenset[bytes] = frozenset()
        self.call = open_call(gateway, x, self)

    # What the client does.

    def on_request_body(self, data: bytes) -> None:
        if self.x.tap is not None:
            self.x.tap.request_body(data)
        self.call.write(data if self.x.tunnel else request_piece(self.x, data))

    def on_request_end(self, trailers: Pairs) -> None:
        self.call.complete = True
        if self.x.tap is not None:
            self.x.tap.request_end()
        if end := request_end(self.x, trailers):
            self.call.write(end)

    def on_client_gone(self) -> None:
        self.call.abort()

    def on_client_full(self) -> None:
        self.call.pause()

    def on_client_writable(self) -> None:
        self.call.resume()

    # What the upstream does.

    def on_informational(self, head: ResponseHead) -> None:
        self.client.inform(head)

    def on_head(self, head: ResponseHead) -> None:
        x = self.x
        x.tunnel = head.status == 101
        self.nominated = head.connection
        self.client.write_head(head.status, head.reason, client_lines(self.gateway, x, head), head.length)
        if x.tap is not None:
            x.tap.head(head.status, client_fields(self.gateway, x, head))

    def on_body(self, data: bytes) -> None:
        self.client.write_body(data)
        if self.x.tap is not None:
            self.x.tap.body(data)

    def on_end(self, trailers: Pairs) -> None:
        x = self.x
        if x.tap is not None:
            x.tap.done()
        self.client.end_response(allowed_trailers(trailers, self.nominated) if trailers else trailers)

    def on_error(self, error: UpstreamError) -> None:
        if not self.client.responding and fail_over(self.gateway, self.x, error):
            self.call = open_call(self.gateway, self.x, self)
            return
        self.x.stage = error.stage.encode()
        if self.client.responding:
            self.client.break_off()
        else:
            self.client.reply(error.reply())

    def on_full(self) -> None:
        self.client.pause_upload()

    def on_writable(self) -> None:
        self.client.resume_upload()

    def flush(self) -> None:
        self.client.flush()
