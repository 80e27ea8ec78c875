"""Instances are asked whether they are well: at intervals, and where no connection comes about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chassis.discovery.port import Instance
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.upstreams import Upstreams
from tests.support.gateway.exchanges import Clock


class Instances:
    """Two instances whose answer to GET /ready the test sets; what they were asked is counted."""

    def __init__(self) -> None:
        self.status, self.asked = [200, 200], [0, 0]

    def handler(self, number: int) -> object:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if (head := await reader.read(4096)).startswith(b"GET /base/ready HTTP/1.1\r\n"):
                self.asked[number] += 1
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status[number])
            assert head == b"" or b"\r\nHost: " in head
            writer.close()

        return handle


class World:
    """A gateway's side of it, whose time passes when the test says so."""

    def __init__(self, instances: Instances, ports: list[int], health: str | None, interval_s: float) -> None:
        self.instances, self.clock = instances, Clock()
        found = tuple(Instance(str(port), "127.0.0.1", port) for port in ports)
        self.service = Service("m", "http", "127.0.0.1", ports[0], None, b"/base", instances=found)
        self.service = replace(self.service, health=health, health_interval_s=interval_s)
        self.upstreams = Upstreams(self.clock, 65536, WriteBatch())
        self.upstreams.keep({"m": self.service})
        self.balancer = self.upstreams.pool(self.service)

    async def goes_on(self, seconds: float = 1.25) -> None:
        """Until the checks that have begun are over."""
        self.clock.now += seconds
        self.upstreams.sweep()
        async with asyncio.timeout(60):
            while self.upstreams.checks_running:
                await asyncio.sleep(0.001)
        self.upstreams.sweep()

    @property
    def states(self) -> list[str]:
        return [status.state for status in self.upstreams.statuses()]


@pytest.fixture
async def instances() -> AsyncIterator[tuple[Instances, list[int]]]:
    one = Instances()
    servers = [await asyncio.start_server(one.handler(number), "127.0.0.1", 0) for number in (0, 1)]  # type: ignore[arg-type]
    yield one, [server.sockets[0].getsockname()[1] for server in servers]
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_three_checks_that_fail_leave_an_instance_out_one_that_succeeds_brings_it_back(
    instances: tuple[Instances, list[int]],
) -> None:
    world = World(*instances, "/ready", 1.0)
    world.instances.status[0] = 503
    await world.goes_on()
    for expected in ("in", "in", "unchecked"):
        await world.goes_on()
        assert world.states == [expected, "in"]
    assert world.instances.asked == [3, 3]
    world.instances.status[0] = 204
    await world.goes_on()
    assert world.states == ["slow_start", "in"]
    world.instances.status[:] = [503, 503]
    for _ in range(3):
        await world.goes_on()
    assert world.states == ["unchecked", "unchecked"]
    assert world.balancer.rotation.chosen() is not None


@pytest.mark.parametrize("health", ["/ready", None])
async def test_an_instance_that_accepts_no_connection_is_tried_each_second_until_it_does(
    instances: tuple[Instances, list[int]], health: str | None
) -> None:
    world = World(*instances, health, 0.0)
    for _ in range(5):
        world.balancer.refused(world.balancer.pools[0])
    world.instances.status[0] = 503
    assert world.states == ["unreachable", "in"]
    await world.goes_on(0.25)
    assert world.states == ["unreachable", "in"]
    await world.goes_on()
    assert world.states[0] == ("unreachable" if health else "slow_start")
    world.instances.status[0] = 200
    await world.goes_on()
    assert world.states == ["slow_start", "in"]
    assert world.instances.asked == ([2, 0] if health else [0, 0])
    await world.goes_on()
    assert sum(world.instances.asked) == (2 if health else 0)


async def test_one_instance_alone_is_not_asked(instances: tuple[Instances, list[int]]) -> None:
    world = World(instances[0], instances[1][:1], "/ready", 1.0)
    for _ in range(3):
        await world.goes_on(5)
    assert world.instances.asked == [0, 0]
