"""A real agent's own DNS, for who wants no client of Consul: `?server=` names it."""

import asyncio
from uuid import uuid4

import pytest

from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from chassis.consul.values import Check, ServiceInstance
from chassis.discovery.open import Discovery
from parts.servers import consul as part

pytestmark = pytest.mark.connected
SERVER = f"127.0.0.1:{part.DNS_PORT}"


@pytest.mark.parametrize("target", ["dns://{name}.service.consul:{port}", "dns+srv://{name}.service.consul"])
async def test_the_agent_answers_with_healthy_instances(target: str) -> None:
    name, listening = f"shop-{uuid4().hex}", await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1")
    port = listening.sockets[0].getsockname()[1]
    consul = Consul(ConsulSettings(part.URL))
    discovery = Discovery()
    try:
        async with listening, asyncio.timeout(60):
            await consul.register(ServiceInstance(name, name, "127.0.0.1", port), Check(interval_s=0.1))
            watch = discovery.watch(f"{target.format(name=name, port=port)}?server={SERVER}")
            async for instances in watch:
                if instances:
                    break
            assert [one.id for one in instances] == [f"127.0.0.1:{port}"]
    finally:
        await consul.deregister(name)
        consul.close()
        discovery.close()
