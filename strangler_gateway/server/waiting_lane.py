"""Holds a request while a step waits; then what the steps end in takes it over."""

import asyncio
import logging
from typing import Protocol

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Client, Handler, Outcome
from strangler_gateway.exchange.replies import FAILED
from strangler_gateway.http.fields import Pairs
from strangler_gateway.steps.pipeline import Pipeline

log = logging.getLogger(__name__)
MAX_HELD = 64 * 1024
"""Bytes of the body; then reading pauses."""


class WaitingClient(Client, Protocol):
    """The client's connection, as far as a request that waits needs it."""

    handler: Handler | None
    """What takes the request now."""
    exchange: Exchange | None
    """The exchange in flight."""

    def proceed(self, outcome: Outcome) -> None:
        """Goes on with what the steps end in."""


class WaitingLane(Handler):
    """Awaits a step in a task of its own, and goes on with the next ones."""

    def __init__(self, pipeline: Pipeline, exchange: Exchange, outcome: Outcome) -> None:
        self._pipeline, self._exchange = pipeline, exchange
        self._unbegun: Outcome = outcome
        self._held: list[bytes] = []
        self._size = 0
        self._trailers: Pairs | None = None
        self._gone = False

    def wait(self, client: WaitingClient) -> asyncio.Task[None]:
        """Begins; whoever calls keeps the task."""
        self._client = client
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self._task

    async def _run(self) -> None:
        outcome, self._unbegun = self._unbegun, None
        try:
            outcome = await self._pipeline.resume(self._exchange, outcome)
        except Exception:
            log.exception("a step failed")
            outcome = FAILED
        if not self._gone:
            self._client.proceed(outcome)
            self._hand_over()

    def _hand_over(self) -> None:
        """Gives the held part of the request to the handler that took it, in the order in which it came."""
        if self._size > MAX_HELD and self._taker() is not None:
            self._client.resume_upload()  # first: the handler may pause it again
        if (handler := self._taker()) is not None and self._held:
            handler.on_request_body(b"".join(self._held))
        if (handler := self._taker()) is not None and self._trailers is not None:
            handler.on_request_end(self._trailers)

    def _taker(self) -> Handler | None:
        """None where the request has been answered: the connection may be with the next one by now."""
        return self._client.handler if self._client.exchange is self._exchange else None

    def on_request_body(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size > MAX_HELD:
            self._client.pause_upload()

    def on_request_end(self, trailers: Pairs) -> None:
        self._trailers = trailers

    def on_client_gone(self) -> None:
        self._gone = True
        # A task that is cancelled before it has begun awaits nothing: close what the step would have waited for.
        close = getattr(self._unbegun, "close", None)
        if callable(close):
            close()
        self._task.cancel()
