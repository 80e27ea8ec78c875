"""The ASGI lane: an exchange as scope, receive and send for the application, with what ASGI lacks as extensions."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from strangler_gateway.exchange.exchange import Exchange, Outcome, Reply
from strangler_gateway.http.fields import Pairs

if TYPE_CHECKING:
    from strangler_gateway.server.connection import ClientConnection

log = logging.getLogger(__name__)
_MAX_QUEUED = 64 * 1024


class Cycle:
    """One exchange on the ASGI lane; a task of its own runs the application."""

    def __init__(self, client: "ClientConnection", x: Exchange, outcome: Outcome) -> None:
        self.client = client
        self.x = x
        self._events: deque[dict[str, Any]] = deque()
        self._queued = 0
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = False
        self._trailers_follow = False
        self._unbegun: Outcome = outcome
        x.inform = client.inform
        if client.body_done and not x.head.websocket:
            self.on_request_end([])
        self.task = client.loop.create_task(self._run(outcome))
        client.tasks.add(self.task)
        self.task.add_done_callback(client.tasks.discard)

    async def _run(self, outcome: Outcome) -> None:
        self._unbegun = None
        try:
            await self.client.app(self._scope(outcome), self.receive, self.send)
        except asyncio.CancelledError:
            if not self._gone:
                self._fail()
            raise
        except Exception:
            log.exception("the application failed")
            self._fail()
        else:
            if not self._gone and self.client.lane is self:
                self._fail()

    def _fail(self) -> None:
        client = self.client
        if self._gone or client.lane is not self:
            return
        if client.responding:
            client.break_off()
        else:
            client.reply(Reply(500, "proxy_internal_error", "The gateway failed on this request.", close=True))

    def _scope(self, outcome: Outcome) -> dict[str, Any]:
        x = self.x
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1" if x.version == 11 else "1.0",
            "server": self.client.address,
            "client": (x.peer, 0),
            "scheme": x.scheme.decode(),
            "method": x.method.decode(),
            "root_path": "",
            "path": x.path.decode("latin-1"),
            "raw_path": x.path,
            "query_string": x.query[1:],
            "headers": _lowered(x),
            "state": self.client.app_state.copy(),
            "extensions": {"http.response.trailers": {}, "strangler": {"exchange": x, "outcome": outcome}},
        }

    async def receive(self) -> dict[str, Any]:
        """ASGI receive; `http.request` may carry `trailers`, and raw bytes once the protocol is switched."""
        while not self._events:
            if self._gone:
                return {"type": "http.disconnect"}
            self._arrived.clear()
            await self._arrived.wait()
        event = self._events.popleft()
        self._queued -= len(event["body"])
        if self._queued < _MAX_QUEUED // 2:
            self.client.resume_upload()
        return event

    async def send(self, message: Any) -> None:
        """ASGI send. Raises OSError when the client has gone."""
        client = self.client
        if self._gone or client.lane is not self:
            raise OSError("the client has gone")
        kind = message["type"]
        if kind == "http.response.start":
            self._trailers_follow = message.get("trailers", False)
            length = message["length"] if "length" in message else _length(message["headers"])
            lines = b"".join([b"%b: %b\r\n" % pair for pair in message["headers"]])
            client.write_head(message["status"], message.get("reason", b""), lines, length)
            if message["status"] == 101:
                client.flush()
        elif kind == "http.response.body":
            if body := message.get("body"):
                client.write_body(body)
            if message.get("more_body", False):
                client.flush()
                if client.full:
                    await self._writable.wait()
            elif not self._trailers_follow:
                client.end_response([])
        elif kind == "http.response.trailers":
            client.end_response(list(message["headers"]))
        elif kind == "strangler.abort":
            client.break_off()

    def on_request_body(self, data: bytes) -> None:
        self._put({"type": "http.request", "body": data, "more_body": True})
        self._queued += len(data)
        if self._queued > _MAX_QUEUED:
            self.client.pause_upload()

    def on_request_end(self, trailers: Pairs) -> None:
        self._put({"type": "http.request", "body": b"", "more_body": False, "trailers": trailers})

    def on_client_gone(self) -> None:
        self._gone = True
        self._arrived.set()
        self._writable.set()
        # Cancelled before it has begun, the task awaits nothing: what a step would have waited for is let go of.
        close = getattr(self._unbegun, "close", None)
        if callable(close):
            close()
        if not self.x.tunnel:
            self.task.cancel()

    def on_client_full(self) -> None:
        self._writable.clear()

    def on_client_writable(self) -> None:
        self._writable.set()

    def _put(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        self._arrived.set()


def _lowered(x: Exchange) -> Pairs:
    """Names in lower case, as ASGI wants them; kept with the fields, which a connection often repeats."""
    head = x.head
    if head.lowered is None:
        head.lowered = [(name.lower(), value) for name, value in head.fields]
    return head.lowered


def _length(fields: Pairs) -> int | None:
    return next((int(value) for name, value in fields if name.lower() == b"content-length"), None)
