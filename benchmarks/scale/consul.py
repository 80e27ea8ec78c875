"""What watches of services and the store of many gateways cost, on a Consul of its own: calls, bytes, time, memory."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter

import httpx
import psutil

from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from chassis.discovery.open import Discovery
from parts.servers.consul import ConsulServer, own
from strangler_gateway.cluster.consul_store import ConsulStore
from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.record import GroupRecord
from strangler_gateway.cluster.record_json import decode, digest, encode
from strangler_gateway.cluster.store import StoreIndex
from tests.support.system.tcp_proxy import TcpProxy

Figures = Mapping[str, object]
INSTANCES = 3
WATCHED = (100, 1000)
IDLE_S = 22.0
"""Two questions that wait ten seconds, and a sixteenth."""
STORES = ((1, 10), (10, 10), (100, 10), (10, 100), (100, 100), (100, 1000))
"""Gateways and groups."""
READS = 10
RECORD = {
    "rolled_back": {"7f3a00112233": 2},
    "released": {"7f3a00112233": 2},
    "decision": {
        "seq": 1796000000,
        "position": {"state": "canary", "share": 10},
        "knows": {"7f3a00112233": 2},
        "who": "ada",
        "why": "week 2: no differences since Monday",
    },
    "files": ["3fa2c1d4e5f6"],
    "notes": {},
}


async def measured() -> Mapping[str, object]:
    """Everything; takes about a minute."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder, own(Path(folder)) as server:
        watches = [await watched(server, number) for number in WATCHED]
        return {"watches": watches, "stores": [await store(server, *size) for size in STORES]}


async def watched(server: ConsulServer, number: int) -> Figures:
    """So many services watched by one process: while nothing changes, and when one instance of one service leaves."""
    await _registered(server, number)
    process, agent = psutil.Process(), server.process()
    assert agent is not None
    before = process.memory_info().rss, agent.memory_info().rss
    with TcpProxy(server.ports.http) as proxy:
        discovery = Discovery(ConsulSettings(f"consul://127.0.0.1:{proxy.port}"))
        changed, first = asyncio.Event(), asyncio.Semaphore(0)

        async def follow(name: str) -> None:
            async for instances in discovery.watch(f"consul://{name}"):
                first.release()
                if len(instances) < INSTANCES:
                    changed.set()

        began = perf_counter()
        tasks = [asyncio.create_task(follow(f"s{n}")) for n in range(number)]
        for _ in range(number):
            await first.acquire()
        first_s = perf_counter() - began
        after = process.memory_info().rss, agent.memory_info().rss
        idle = await _idle(proxy, process, agent)
        began, passed = perf_counter(), proxy.down.passed
        await _deregister(server, "s0-0")
        await changed.wait()
        change = {"change_s": round(perf_counter() - began, 3), "change_bytes": proxy.down.passed - passed}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        discovery.close()
    return {
        "services": number,
        "instances_each": INSTANCES,
        "first_s": round(first_s, 2),
        "kib_each": round((after[0] - before[0]) / number / 1024, 1),
        "agent_kib_each": round((after[1] - before[1]) / number / 1024, 1),
        **idle,
        **change,
    }


async def _idle(proxy: TcpProxy, process: psutil.Process, agent: psutil.Process) -> Figures:
    up, down = proxy.up.passed, proxy.down.passed
    cpu = _cpu_s(process), _cpu_s(agent)
    await asyncio.sleep(IDLE_S)
    now = _cpu_s(process), _cpu_s(agent)
    return {
        "idle_up_bytes_per_s": round((proxy.up.passed - up) / IDLE_S),
        "idle_down_bytes_per_s": round((proxy.down.passed - down) / IDLE_S),
        "idle_cpu_percent_with_proxy": round((now[0] - cpu[0]) / IDLE_S * 100, 1),
        "idle_agent_cpu_percent": round((now[1] - cpu[1]) / IDLE_S * 100, 1),
    }


async def _registered(server: ConsulServer, number: int) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client:
        for n in range(number):
            for i in range(INSTANCES):
                body = {"ID": f"s{n}-{i}", "Name": f"s{n}", "Address": f"10.{i}.{n >> 8}.{n & 255}", "Port": 8080}
                (await client.put("/v1/agent/service/register", json=body)).raise_for_status()


async def _deregister(server: ConsulServer, instance_id: str) -> None:
    with _client(server.ports.http) as client:
        await client.deregister(instance_id)


async def store(server: ConsulServer, gateways: int, groups: int) -> Figures:
    """The tree that every gateway reads after each change of anything, as one of them reads it."""
    prefix, record = f"scale-{gateways}-{groups}", decode(json.dumps(RECORD).encode())
    serves = {f"g{n}": digest(record) for n in range(groups)}
    member = ClusterMember("gw", "7f3a00112233", "http://10.0.0.1:8001", 1796000000.123, serves)
    with TcpProxy(server.ports.http) as proxy, _client(server.ports.http) as client, _client(proxy.port) as slow:
        await _written(ConsulStore(client, prefix, "gw0", 15), client, record, member, gateways)
        reader = ConsulStore(slow, prefix, "gw0", 15)
        await reader.read_all()
        passed = proxy.down.passed
        await reader.read_all()
        tree_bytes = proxy.down.passed - passed
        reader = ConsulStore(client, prefix, "gw0", 15)
        await reader.read_all()
        process, agent = psutil.Process(), server.process()
        assert agent is not None
        cpu, began = (_cpu_s(process), _cpu_s(agent)), perf_counter()
        for _ in range(READS):
            await reader.read_all()
        seconds = perf_counter() - began
        now = _cpu_s(process), _cpu_s(agent)
        await client.delete_tree(f"{prefix}/")
    return {
        "gateways": gateways,
        "groups": groups,
        "record_bytes": len(encode(record)),
        "member_bytes": len(member.encode()),
        "tree_kib": tree_bytes >> 10,
        "read_ms": round(seconds / READS * 1000, 1),
        "cpu_ms": round((now[0] - cpu[0]) / READS * 1000, 1),
        "agent_cpu_ms": round((now[1] - cpu[1]) / READS * 1000, 1),
    }


async def _written(
    store: ConsulStore, client: Consul, record: GroupRecord, member: ClusterMember, gateways: int
) -> None:
    cluster = (await store.read_all()).cluster
    for group in member.serves or {}:
        assert await store.cas(group, record, StoreIndex(cluster))
    for n in range(gateways):
        await client.put(f"{store.prefix}/{cluster}/members/gw{n}", member.encode())


@contextlib.contextmanager
def _client(port: int) -> Iterator[Consul]:
    client = Consul(ConsulSettings(f"consul://127.0.0.1:{port}"))
    try:
        yield client
    finally:
        client.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
