"""A service on its real server: what a client that has left had asked for is not begun."""

import asyncio

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from chassis import deadline
from chassis.service.middleware import HonourDeadline
from chassis.service.server import _Protocol

REQUEST = b"GET /%b HTTP/1.1\r\nHost: thing\r\n%b\r\n"


class Thing:
    """Waits as for a connection to its database, then begins."""

    def __init__(self) -> None:
        self.came, self.proceed = asyncio.Event(), asyncio.Event()
        self.begun: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.set()
        if scope["path"] == "/waits":
            await self.proceed.wait()
        deadline.begin()
        self.begun.append(scope["path"])
        await PlainTextResponse("done")(scope, receive, send)


async def status(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    return head.split(b" ", 2)[1]


async def test_what_waits_for_a_client_that_has_left_is_not_begun_and_the_others_are() -> None:
    thing = Thing()
    config = uvicorn.Config(HonourDeadline(thing), port=0, http=_Protocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    place = server.servers[0].sockets[0].getsockname()[:2]
    leaving = (await asyncio.open_connection(*place))[1]
    leaving.write(REQUEST % (b"waits", b""))
    await asyncio.wait_for(thing.came.wait(), 60)
    leaving.close()
    await leaving.wait_closed()
    reader, writer = await asyncio.open_connection(*place)
    for field, expected in ((b"", b"200"), (b"Strangler-Timeout-Ms: 0\r\n", b"503")):
        writer.write(REQUEST % (b"quick", field))
        assert await status(reader) == expected
        await reader.read(4 if expected == b"200" else 0)
    thing.proceed.set()
    writer.write(REQUEST % (b"quick", b""))
    assert await status(reader) == b"200"
    writer.close()
    server.should_exit = True
    await serving
    assert thing.begun == ["/quick", "/quick"]
