"""Which instance takes a call, and which other one where the first did not answer."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from chassis.discovery.port import Instance
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service, ServiceTimeouts
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.call import Call, Nobody
from tests.support.gateway.exchanges import Clock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """An instance: answers each request, or loses the connection; remembers the targets."""

    def __init__(self) -> None:
        self.answer = OK
        self.targets: list[bytes] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self._handlers: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._handlers.add(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                await reader.readuntil(b"\r\n\r\n")
                self.targets.append(line.split()[1])
                await self.goes_on.wait()
                writer.write(self.answer)
                if not self.answer:
                    break
        writer.close()

    async def aclose(self) -> None:
        """When nobody is connected any more."""
        self.goes_on.set()
        await asyncio.gather(*self._handlers)


class Taker(Nobody):
    """Waits for the end of a call."""

    def __init__(self) -> None:
        self.over: asyncio.Future[int | str] = asyncio.get_running_loop().create_future()
        self.status = 0

    def on_head(self, head: ResponseHead) -> None:
        self.status = head.meaning.status

    def on_end(self, trailers: Pairs) -> None:
        self.over.set_result(self.status)

    def on_error(self, error: UpstreamError) -> None:
        self.over.set_result(error.code)


class World:
    """A service with so many instances that listen, and so many that refuse."""

    def __init__(self, listening: Sequence[Server], instances: Sequence[Instance]) -> None:
        self.servers, self.instances = listening, tuple(instances)
        self.clock = Clock()
        self.service = Service("shop", "http", "127.0.0.1", 1, instances=self.instances, timeouts=ServiceTimeouts(5))
        self.balancer = Balancer(
            self.service,
            self.clock,
            65536,
            WriteBatch(),
            draw=random.Random(7).random,  # repeatable
        )

    def send(self, method: bytes = b"GET", target: bytes = b"/", complete: bool = True) -> tuple[Call, Taker]:
        taker = Taker()
        length = b"" if complete else b"Content-Length: 2\r\n"
        head = b"%b %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (method, target, length)
        return self.balancer.send(taker, method, target, head, complete=complete), taker

    async def ask(self, method: bytes = b"GET", target: bytes = b"/") -> int | str:
        return await asyncio.wait_for(self.send(method, target)[1].over, 60)

    def close(self) -> None:
        """Ends all calls and connections."""
        self.balancer.close()
        for call in self.balancer.active:
            call.abort()

    @property
    def received(self) -> list[int]:
        return [len(server.targets) for server in self.servers]


Make = Callable[..., Awaitable[World]]


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.001)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        async def world(listening: int, refusing: int = 0) -> World:
            servers, instances = [Server() for _ in range(listening)], []
            for server in servers:
                listener = await stack.enter_async_context(await asyncio.start_server(server, "127.0.0.1", 0))
                instances.append(listener.sockets[0].getsockname()[1])
                stack.push_async_callback(server.aclose)
            for _ in range(refusing):
                bound = stack.enter_context(socket.socket())
                bound.bind(("127.0.0.1", 0))
                instances.append(bound.getsockname()[1])
            made = World(servers, [Instance(str(port), "127.0.0.1", port) for port in instances])
            stack.callback(made.close)
            return made

        yield world


async def test_each_request_goes_to_one_of_two_with_fewer_under_way(make: Make) -> None:
    world = await make(3)
    slow = world.servers[0]
    slow.goes_on.clear()
    under_way = [world.send() for _ in range(9)]
    await asyncio.wait_for(until(lambda: sum(world.received) >= 3), 60)
    assert max(len(pool.active) for pool in world.balancer.pools) <= 4
    for _ in range(40):
        assert await world.ask() == 200
    slow.goes_on.set()
    assert [await taker.over for _, taker in under_way] == [200] * 9


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_request_that_finds_no_connection_goes_to_another_instance(make: Make, method: bytes) -> None:
    world = await make(1, refusing=2)
    assert [await world.ask(method) for _ in range(10)] == [200] * 10


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_call_whose_connection_is_slow_to_open_goes_on_any_that_is_free_before(
    make: Make, monkeypatch: pytest.MonkeyPatch, method: bytes
) -> None:
    world, loop, may_open = await make(1), asyncio.get_running_loop(), asyncio.Event()
    (pool,), opened = world.balancer.pools, loop.create_connection
    world.servers[0].goes_on.clear()
    _, first = world.send()
    await asyncio.wait_for(until(lambda: world.received == [1]), 60)

    async def open_late(*asked: Any, **named: Any) -> Any:
        await may_open.wait()
        return await opened(*asked, **named)

    monkeypatch.setattr(loop, "create_connection", open_late)
    left, gone = world.send()
    _, second = world.send(method)
    left.abort()
    world.servers[0].goes_on.set()
    assert [await asyncio.wait_for(taker.over, 60) for taker in (first, second)] == [200, 200]
    may_open.set()
    await asyncio.wait_for(until(lambda: len(pool.idle) == 3), 60)
    assert (world.received, gone.over.done(), pool.open) == ([2], False, 3)


async def test_where_no_more_connections_may_be_opened_who_waits_tries_when_one_has_not_come_about(make: Make) -> None:
    world = await make(0, refusing=1)
    world.balancer.set_instances(world.instances)
    (pool,) = world.balancer.pools
    pool.service = replace(pool.service, max_connections=1)
    answers = await asyncio.wait_for(asyncio.gather(*(world.ask() for _ in range(3))), 60)
    assert answers == ["connection_refused"] * 3


async def test_a_safe_request_that_an_instance_lost_goes_to_another_one_a_write_does_not(make: Make) -> None:
    world = await make(2)
    world.servers[0].answer = b""
    answers = await asyncio.gather(*(world.ask(target=b"/%d" % each) for each in range(10)))
    assert answers == [200] * 10
    lost = len(world.servers[0].targets)
    assert lost > 0
    world = await make(2)
    world.servers[0].answer = b""
    written = await asyncio.gather(*(world.ask(b"POST") for _ in range(10)))
    assert written.count("connection_terminated") == len(world.servers[0].targets) > 0
    assert written.count(200) == len(world.servers[1].targets) > 0


async def test_requests_that_were_in_flight_when_an_instance_died_are_no_killers(make: Make) -> None:
    world = await make(2)
    dying = world.servers[0]
    dying.goes_on.clear()
    under_way = [world.send(target=b"/home") for _ in range(8)]
    await asyncio.wait_for(until(lambda: sum(world.received) == 8), 60)
    dying.answer = b""
    dying.goes_on.set()
    assert [await taker.over for _, taker in under_way] == [200] * 8


async def test_a_request_that_two_instances_died_of_is_not_sent_to_a_third(make: Make) -> None:
    world = await make(4)
    for server in world.servers:
        server.answer = b""
    assert await world.ask(target=b"/poison") == "connection_terminated"
    assert sum(world.received) == 2
    assert await world.ask(target=b"/poison") == "connection_terminated"
    assert sum(world.received) == 3


async def test_retries_stay_within_the_budget_of_the_service(make: Make) -> None:
    world = await make(2)
    for server in world.servers:
        server.answer = b""
    for each in range(100):
        await world.ask(target=b"/%d" % each)
    assert sum(world.received) == 100 + 10 + 20


async def test_an_instance_that_leaves_finishes_its_calls_and_gets_no_other_one(make: Make) -> None:
    world = await make(2)
    for server in world.servers:
        server.goes_on.clear()
    under_way = [world.send() for _ in range(4)]
    await asyncio.wait_for(until(lambda: world.received == [2, 2]), 60)
    kept = world.balancer.pools[1]
    world.balancer.set_instances(world.instances[1:])
    for server in world.servers:
        server.goes_on.set()
    assert [await taker.over for _, taker in under_way] == [200] * 4
    assert [await world.ask() for _ in range(5)] == [200] * 5
    assert world.received == [2, 7]
    assert world.balancer.pools == [kept]
    world.balancer.sweep()
    assert kept.open == len(kept.idle) > 0


async def test_without_an_instance_a_call_is_refused_until_there_is_one(make: Make) -> None:
    world = await make(1)
    world.balancer.set_instances(())
    assert (await world.ask(), world.balancer.available) == ("destination_unavailable", False)
    world.balancer.set_instances(world.instances)
    assert (await world.ask(), world.balancer.available) == (200, True)
