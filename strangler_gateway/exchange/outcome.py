"""What a step of the way returns, and the two sides of what takes a request in the end."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol

from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead


class Client(Protocol):
    """The client's connection, as a handler sees it."""

    @property
    def responding(self) -> bool:
        """The head of the response has been written."""
        ...

    def inform(self, head: ResponseHead) -> None:
        """Passes a 1xx response on."""

    def write_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """Begins the response. `lines`: its field lines; `length`: bytes of the body, -1 or None if unknown."""

    def write_body(self, data: bytes) -> None: ...
    def end_response(self, trailers: Pairs) -> None: ...
    def flush(self) -> None:
        """What was written leaves at the end of this turn of the loop."""

    def break_off(self) -> None:
        """Ends the response so that the client cannot take it for complete."""

    def reply(self, reply: Reply) -> None:
        """Sends an answer of the gateway's own."""

    def pause_upload(self) -> None:
        """The handler cannot take more of the request body now."""

    def resume_upload(self) -> None:
        """The handler takes body bytes again."""


class Handler:
    """Takes a request from the last step on: its body arrives here; it answers through the client's connection."""

    __slots__ = ()

    def start(self, client: Client) -> None:
        """Called once, before all others."""

    def on_request_body(self, data: bytes) -> None:
        """The next bytes of the body, without their framing."""

    def on_request_end(self, trailers: Pairs) -> None:
        """The body is complete. Not called for a request without a body."""

    def on_client_gone(self) -> None:
        """The client has left: nothing may be written any more."""

    def on_client_full(self) -> None:
        """The client reads too slowly; writing has to pause."""

    def on_client_writable(self) -> None:
        """Writing may go on."""


Answer = Reply | None
Outcome = Answer | Handler | Awaitable[Answer]
"""None: go on with the next step. Reply: the answer. Handler: takes the rest. Awaitable: wait, then go on."""


class DeferredStep:
    """A wait that has not begun. Awaiting it runs it; closing it releases what it would have waited for."""

    def __init__(self, inner: object, run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._inner = inner
        self._run = run

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._run().__await__()

    def close(self) -> None:
        """Nobody will await it."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()
