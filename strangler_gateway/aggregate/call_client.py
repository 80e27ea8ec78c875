"""The client's side of a call: takes the answer of whatever ends the way of a request, up to a bound."""

import asyncio
from collections.abc import Awaitable, Callable

from strangler_gateway.aggregate.call_answer import ByteBudget, CallResponse
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Handler
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.fields import Pairs, pairs_of
from strangler_gateway.http.response_head import ResponseHead

Way = Callable[[Exchange], Awaitable[Reply | Handler]]
"""The steps of a request, as far as they go without its client."""
LATE = Reply(504, "http_response_timeout", "The call has not been answered in time.")


class CallClient:
    """One per call."""

    def __init__(self, exchange: Exchange, max_body: int, budget: ByteBudget) -> None:
        self.exchange = exchange
        self.body = bytearray()
        self._fields: Pairs = []
        self._own: Reply | None = None
        self._is_broken = self._is_too_long = False
        self._max_body, self._budget = max_body, budget
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._handler: Handler | None = None

    async def ask(self, way: Way, timeout_s: float) -> None:
        """Goes the way, and waits for the end of the answer; in any case nothing runs on behind it."""
        self.exchange.patience_s = timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                outcome = await way(self.exchange)
                if isinstance(outcome, Reply):
                    self.reply(outcome)
                else:
                    outcome.start(self)
                    self._handler = outcome
                await self._ended
        except TimeoutError:
            self.exchange.stage = b"response"
            self.reply(LATE)
        except asyncio.CancelledError:
            self.exchange.status, self.exchange.stage = self.exchange.status or 499, b"client"
            raise
        finally:
            handler, self._handler = self._handler, None  # which knows this client: a cycle would be left behind
            if handler is not None:
                handler.on_client_gone()

    def answer(self) -> CallResponse:
        """How it ended."""
        return CallResponse(
            status=self.exchange.status,
            fields=self._fields,
            body=bytes(self.body),
            own=self._own,
            failed_at=self.exchange.stage,
            is_broken=self._is_broken,
            is_too_long=self._is_too_long,
        )

    # What a handler calls.

    @property
    def responding(self) -> bool:
        return self.exchange.status != 0

    def inform(self, head: ResponseHead) -> None:
        """A call waits for the final answer."""

    def write_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        self.exchange.status = status
        self._fields = pairs_of(lines.split(b"\r\n")[:-1])
        if length is not None and length > self._max_body:
            self._is_too_long = True
            self._end()

    def write_body(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > self._max_body or not self._budget.take(len(data)):
            self._is_too_long = True
            self._end()

    def end_response(self, trailers: Pairs) -> None:
        self._end()

    def flush(self) -> None:
        """Nothing is written anywhere."""

    def break_off(self) -> None:
        self._is_broken = True
        self._end()

    def reply(self, reply: Reply) -> None:
        exchange = self.exchange
        self._own = reply
        exchange.status, exchange.answered_here, exchange.proxy_status = reply.status, True, reply.code.encode()
        self._end()

    def pause_upload(self) -> None:
        """There is no body."""

    def resume_upload(self) -> None:
        """There is no body."""

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
