"""How many requests begin in a turn of the loop, which ones wait, and what those get that cannot be served in time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, cast

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.http.request_head import RequestHead
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.server.admission import A_TURN, AdmissionControl
from strangler_gateway.server.front import Front
from strangler_gateway.server.uvicorn_server import public_server
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.access_log import AccessLog
from tests.support.gateway.exchanges import signer
from tests.support.origins import Answer, origin

ROUTES = """
version: 1
services: {monolith: {url: "http://127.0.0.1:%d"}}
routes: [{id: rest, match: {path: "/{rest...}"}, legacy: monolith}]
"""
ANY = cast(RequestHead, None)


class Clients:
    """All that ask, under their numbers."""

    def __init__(self, wait_s: float = 1.0) -> None:
        self.time = 0.0
        self.begun, self.refused, self.held = list[int](), list[int](), list[Any]()
        self.batch = WriteBatch()
        self.admission = AdmissionControl(lambda: self.time, self.batch, wait_s)

    def ask(self, *numbers: int) -> None:
        for number in numbers:
            client = Client(self, number)
            if self.admission.is_free():
                client.take_turn(ANY, self.time)
            elif (queued := self.admission.wait(client, ANY, self.time)) is None:
                client.refuse(ANY)
            else:
                self.held.append(queued)

    async def turns(self, count: int, seconds: float = 0.0) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            self.batch.turn += 1
            self.time += seconds


class Client:
    def __init__(self, clients: Clients, number: int) -> None:
        self.clients, self.number = clients, number

    def take_turn(self, request: RequestHead, since: float) -> None:
        self.clients.begun.append(self.number)

    def refuse(self, request: RequestHead) -> None:
        self.clients.refused.append(self.number)


async def test_a_turn_has_a_bound_and_those_that_wait_begin_in_their_order() -> None:
    clients = Clients()
    clients.ask(*range(3 * A_TURN))
    assert clients.begun == [*range(A_TURN)]
    await clients.turns(1)
    clients.ask(3 * A_TURN)  # behind those that wait
    assert clients.begun == [*range(2 * A_TURN)]
    await clients.turns(2)
    assert (clients.begun, clients.refused) == ([*range(3 * A_TURN + 1)], [])


async def test_who_has_waited_too_long_is_refused_and_who_has_left_is_forgotten() -> None:
    clients = Clients()
    clients.ask(*range(11 * A_TURN))
    clients.held[-1].on_client_gone()
    await clients.turns(20, 0.15)
    assert len(clients.refused) > A_TURN
    assert sorted(clients.begun + clients.refused) == [*range(11 * A_TURN - 1)]


async def test_while_the_machine_stands_still_nobody_has_waited() -> None:
    clients = Clients(wait_s=0.5)
    clients.ask(*range(3 * A_TURN))
    clients.time = 60.0
    await clients.turns(1)
    clients.ask(*range(3 * A_TURN, 5 * A_TURN))  # what had come meanwhile
    await clients.turns(20, 0.01)
    assert (sorted(clients.begun), clients.refused) == ([*range(5 * A_TURN)], [])


async def test_more_than_can_begin_in_time_are_refused_at_once() -> None:
    clients = Clients(wait_s=0.5)
    clients.ask(*range(10 * A_TURN))
    await clients.turns(4, 0.125)  # 3 turns of 64 in a quarter of a second: 384 in the time that they may wait
    assert clients.refused == []
    waiting = 10 * A_TURN - len(clients.begun)
    clients.ask(*range(10 * A_TURN, 12 * A_TURN))
    assert clients.refused == [*range(10 * A_TURN + 384 - waiting, 12 * A_TURN)]


async def test_in_a_crowd_so_many_begin_in_a_turn_as_end_within_two_milliseconds() -> None:
    clients = Clients(wait_s=60)
    clients.ask(*range(300 * A_TURN))

    async def a_turn(each_s: float) -> int:
        """Each request that begins takes so long."""
        before = len(clients.begun)
        await clients.turns(1)
        clients.time += (begun := len(clients.begun) - before) * each_s
        return begun

    assert [await a_turn(2**-12) for _ in range(40)][-1] == 8  # 4,096 a second
    assert [await a_turn(2**-6) for _ in range(20)][-1] == 4  # never fewer
    assert max([await a_turn(2**-15) for _ in range(2_500)]) == A_TURN


class Broken(Client):
    def take_turn(self, request: RequestHead, since: float) -> None:
        raise ValueError("a bug")


async def test_a_request_that_fails_stops_nobody_who_waits_behind_it() -> None:
    told = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    clients = Clients()
    clients.ask(*range(A_TURN))
    clients.admission.wait(Broken(clients, -1), ANY, 0.0)
    clients.ask(*range(A_TURN, 2 * A_TURN))
    await clients.turns(3)
    assert clients.begun == [*range(2 * A_TURN)]
    assert [str(one["exception"]) for one in told] == ["a bug"]


class Crowded(AdmissionControl):
    """Every request waits for a turn, or is refused."""

    refuses = False

    def is_free(self) -> bool:
        return False

    def wait(self, *asked: Any) -> Any:
        return None if self.refuses else super().wait(*asked)


class Talk:
    """A raw connection to a gateway whose turns are crowded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, admission: Crowded) -> None:
        self.reader, self.writer, self.admission = reader, writer, admission

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body; the body of a HEAD is empty."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head, b"" if request.startswith(b"HEAD") else await self.reader.readexactly(length)

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(1), 30) == b""


@asynccontextmanager
async def crowded(*, refuses: bool = False) -> AsyncIterator[Talk]:
    async with origin(lambda request: Answer(body=request.target)) as upstream:
        outside = Outside(AccessLog(BytesIO()), signer())
        gateway = Gateway(Settings.model_validate({}), load(ROUTES % upstream.port, {}), outside)
        admission = Crowded(gateway.front.now, gateway.front.batch, 1.0)
        admission.refuses = refuses
        fields = {name: getattr(gateway.front, name) for name in Front.__slots__}
        server = public_server(Front(**{**fields, "admission": admission}))
        with socket.create_server(("127.0.0.1", 0)) as bound:
            running = asyncio.create_task(server.serve([bound]))
            await server.up.wait()
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            yield Talk(reader, writer, admission)
            writer.close()
            server.should_exit = True
            await running
        await gateway.aclose()


@pytest.mark.parametrize(
    ("request_", "is_last"),
    [
        (b"GET /item HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"HEAD /item HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"GET /item HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", True),
        (b"GET /item HTTP/1.0\r\n\r\n", True),
        (b"POST /item HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", True),
    ],
)
async def test_a_refused_request_gets_503_and_the_connection_stays_where_it_can(request_: bytes, is_last: bool) -> None:
    async with crowded(refuses=True) as talk:
        head, _ = await talk.ask(request_)
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nRetry-After: 1\r\n" in head
        assert b"error=http_request_denied" in head
        if is_last:
            assert await talk.is_closed()
        else:
            talk.admission.refuses = False
            assert (await talk.ask(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"))[1] == b"/next"


async def test_pipelined_requests_and_long_bodies_lose_nothing_while_they_wait() -> None:
    gets = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5))
    post = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000)
    async with crowded() as talk:
        answers = [await talk.ask(gets + post + gets), *[await talk.ask(b"") for _ in range(10)]]
        names = [b"/%d" % number for number in range(5)]
        assert [body for _, body in answers] == [*names, b"/p", *names]
