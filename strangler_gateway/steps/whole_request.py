"""Reads a request whole, within a limit, for what answers itself; then waits for its answer."""

import asyncio
import logging
from typing import Protocol

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Client, Handler
from strangler_gateway.exchange.replies import FAILED, Reply
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead, ResponseMeaning

log = logging.getLogger(__name__)
_CONTINUE = ResponseHead(ResponseMeaning(100, b"Continue", 11, []), [])


class Answerer(Protocol):
    """Answers a request that was read whole."""

    @property
    def limit(self) -> int:
        """Bytes that its body may have."""
        ...

    def too_long(self) -> Reply:
        """The answer to a longer body."""
        ...

    async def answer(self, body: bytes) -> Reply:
        """Cancelled when the client leaves."""
        ...


class WholeRequest(Handler):
    """Collects the body, then has it answered in a task of its own."""

    def __init__(self, exchange: Exchange, answerer: Answerer) -> None:
        self._exchange, self._answerer = exchange, answerer
        self._body = bytearray()
        self._client: Client
        self._task: asyncio.Task[None] | None = None

    def start(self, client: Client) -> None:
        self._client = client
        head = self._exchange.head
        if head.meaning.length is not None and head.meaning.length > self._answerer.limit:
            client.reply(self._answerer.too_long())
        elif head.meaning.length == 0:
            self.on_request_end([])
        elif head.meaning.expect_continue:
            client.inform(_CONTINUE)

    def on_request_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._answerer.limit:
            self._client.reply(self._answerer.too_long())

    def on_request_end(self, trailers: Pairs) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def on_client_gone(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            reply = await self._answerer.answer(bytes(self._body))
        except Exception:
            log.exception("an answer of the gateway's own failed")
            reply = FAILED
        self._client.reply(reply)
