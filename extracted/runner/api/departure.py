"""Ends a request's work when its client leaves: nobody wants the result of a run any more."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def ended_with_its_client(app: ASGIApp) -> ASGIApp:
    """Cancels `app` when the client closes the connection before it has its answer."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        else:
            await _WatchedRequest(receive, send).run(app, scope)

    return answer


class _WatchedRequest:
    """One request. Its messages pass through a queue, so that a disconnect is seen while the work is under way."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._messages: asyncio.Queue[Message] = asyncio.Queue(1)
        self._answered = self._left = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        work = asyncio.ensure_future(app(scope, self._messages.get, self._sent))
        watcher = asyncio.create_task(self._watch(work))
        try:
            await work
        except asyncio.CancelledError:
            if not self._left:
                raise
        finally:
            watcher.cancel()

    async def _sent(self, message: Message) -> None:
        self._answered = self._answered or message["type"] == "http.response.start"
        await self._send(message)

    async def _watch(self, work: asyncio.Future[None]) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            await self._messages.put(message)
        if not self._answered:
            self._left = True
            work.cancel()
