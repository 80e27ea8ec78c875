"""What a current Consul (1.22) answers, and the one of the connected tests (2017) does not: as documented.

Sources: developer.hashicorp.com/consul/api-docs: health#list-service-instances-for-service, features/blocking,
features/consistency, txn; Consul's CHANGELOG (1.11: results filtered by ACLs; 1.21.5: names of keys) and its
agent/kvs_endpoint.go, agent/acl.go, agent/http.go.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote

import pytest

from chassis.consul import pulse
from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from chassis.consul.values import ConsulAway, ConsulRefused, Operation
from chassis.discovery.consul import ConsulSource
from chassis.discovery.target import DiscoveryTarget
from chassis.discovery.watch import SourceAway
from strangler_gateway.cluster.consul_store import ConsulStore
from strangler_gateway.cluster.member import ClusterMember

META = {
    "Content-Type": "application/json",
    "Vary": "Accept-Encoding",
    "X-Consul-Default-Acl-Policy": "deny",
    "X-Consul-Effective-Consistency": "leader",
    "X-Consul-Knownleader": "true",
    "X-Consul-Lastcontact": "0",
    "X-Consul-Query-Backend": "streaming",
}
FILTERED = {"X-Consul-Results-Filtered-By-Acls": "true"}
NODE = {
    "ID": "40e4a748-2192-161a-0510-9bf59fe950b5",
    "Node": "n1",
    "Address": "10.1.10.12",
    "Datacenter": "dc1",
    "TaggedAddresses": {"lan": "10.1.10.12", "lan_ipv4": "10.1.10.12", "wan": "10.1.10.12"},
    "Meta": {"consul-network-segment": "", "consul-version": "1.22.1"},
    "PeerName": "",
    "CreateIndex": 11,
    "ModifyIndex": 12,
}
SERVICE = {
    "ID": "shop-10.1.10.12:8000",
    "Service": "shop",
    "Tags": None,
    "Address": "10.1.10.12",
    "TaggedAddresses": {"lan_ipv4": {"Address": "10.1.10.12", "Port": 8000}},
    "Meta": None,
    "Port": 8000,
    "Weights": {"Passing": 10, "Warning": 1},
    "EnableTagOverride": False,
    "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}},
    "Connect": {},
    "Locality": None,
    "PeerName": "",
    "CreateIndex": 14,
    "ModifyIndex": 14,
}
CHECK = {
    "Node": "n1",
    "CheckID": "service:shop",
    "Name": "Service 'shop' check",
    "Status": "passing",
    "ServiceID": "shop-10.1.10.12:8000",
    "ServiceTags": [],
    "Type": "http",
    "Interval": "5s",
    "Timeout": "2s",
    "ExposedPort": 0,
    "Definition": {},
    "PeerName": "",
}
SOCKET = SERVICE | {"ID": "shop-socket", "Port": 0, "Address": "", "SocketPath": "/run/shop.sock"}


class CurrentConsul:
    """Answers what it is told to, by method and path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Mapping[str, str], object]] = {}
        self.asked: list[str] = []
        self.open: list[asyncio.StreamWriter] = []
        self.is_silent = False
        self.port = 0

    def says(self, what: str, body: object, status: int = 200, index: int = 15, is_filtered: bool = False) -> None:
        fields = META | {"X-Consul-Index": str(index)} | (FILTERED if is_filtered else {})
        self.answers[what] = status, fields, body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(int((re.search(r"(?i)content-length: (\d+)", head) or ["", "0"])[1]))
                method, target, _ = head.split("\r\n")[0].split(" ")
                self.asked.append(f"{method} {unquote(target)}")
                if self.is_silent or "wait=" in target:
                    return
                status, fields, body = self.answers.get(f"{method} {unquote(target).split('?')[0]}", (404, META, ""))
                content = (body if isinstance(body, str) else json.dumps(body)).encode()
                lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items())]
                writer.write("\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content)


@pytest.fixture
async def server() -> AsyncIterator[CurrentConsul]:
    current = CurrentConsul()
    listening = await asyncio.start_server(current.serve, "127.0.0.1", 0)
    current.port = listening.sockets[0].getsockname()[1]
    yield current
    listening.close()
    for writer in current.open:
        writer.close()


@pytest.fixture
async def client(server: CurrentConsul) -> AsyncIterator[Consul]:
    client = Consul(ConsulSettings(f"consul://127.0.0.1:{server.port}", timeout_s=5))
    yield client
    client.close()


async def test_instances_with_the_fields_of_today(server: CurrentConsul, client: Consul) -> None:
    rows = [
        {"Node": NODE, "Service": SERVICE, "Checks": [CHECK]},
        {"Node": NODE, "Service": SERVICE | {"ID": "down", "Port": 8001}, "Checks": [CHECK | {"Status": "warning"}]},
        {"Node": NODE, "Service": SOCKET, "Checks": None},
    ]
    server.says("GET /v1/health/service/shop", rows)
    found = await client.instances("shop")
    assert [(one.id, one.passing) for one in found.value] == [
        ("down", False),
        ("shop-10.1.10.12:8000", True),
        ("shop-socket", True),
    ]
    source = ConsulSource(client, DiscoveryTarget("consul", "shop"))
    assert [one.id for one in (await source.ask()).instances or ()] == ["10.1.10.12:8000"]


async def test_an_answer_without_what_the_token_may_not_read_is_no_empty_service(
    server: CurrentConsul, client: Consul
) -> None:
    server.says("GET /v1/health/service/shop", [{"Node": NODE, "Service": SERVICE, "Checks": []}])
    source = ConsulSource(client, DiscoveryTarget("consul", "shop"))
    assert len((await source.ask()).instances or ()) == 1
    server.says("GET /v1/health/service/shop", [], is_filtered=True)
    source._index = None  # the next question waits for nothing
    with pytest.raises(SourceAway, match="token for Consul may not read service shop"):
        await source.ask()
    server.says("GET /v1/kv/strangler/", "", status=404, is_filtered=True)
    with pytest.raises(ConsulRefused, match="may not read key strangler/"):
        await client.tree("strangler/")


async def test_a_service_that_never_was_has_index_one_and_one_that_was_removed_is_waited_for(
    server: CurrentConsul, client: Consul
) -> None:
    server.says("GET /v1/health/service/shop", [], index=1)
    source = ConsulSource(client, DiscoveryTarget("consul", "shop"), wait_s=5)
    assert (await source.ask()).instances == ()
    waiting = asyncio.create_task(source.ask())
    while not any("index=1&wait=5000ms" in asked for asked in server.asked):
        await asyncio.sleep(0.01)
    waiting.cancel()


async def test_refusals_have_other_words_and_other_statuses(server: CurrentConsul, client: Consul) -> None:
    lacks = "Permission denied: token with AccessorID '4f2f9f95' lacks permission 'key:write' on \"strangler/a\""
    server.says("PUT /v1/txn", {"Results": None, "Errors": [{"OpIndex": 0, "What": lacks}]}, status=409)
    with pytest.raises(ConsulRefused, match="may not write: Permission denied"):
        await client.transact([Operation("set", "strangler/a", b"")])
    server.says("PUT /v1/txn", {"Results": None, "Errors": [{"OpIndex": 0, "What": "failed to set key"}]}, status=409)
    assert not (await client.transact([Operation("cas", "strangler/a", b"", index=1)])).done
    server.says("GET /v1/agent/services", "ACL not found", status=403)
    with pytest.raises(ConsulRefused, match="ACL token is unknown, or its policy"):
        await client.services()
    server.says("GET /v1/agent/services", "Your IP is issuing too many concurrent connections", status=429)
    with pytest.raises(ConsulAway, match="http_max_conns_per_client"):
        await client.services()


@pytest.mark.parametrize("status", [404, 500])
async def test_an_instance_that_is_gone_is_deregistered(server: CurrentConsul, client: Consul, status: int) -> None:
    server.says("PUT /v1/agent/service/deregister/x", 'Unknown service ID "x". Ensure that …', status=status)
    server.says("GET /v1/agent/services", {})
    await client.deregister("x")
    if status == 500:
        server.says("GET /v1/agent/services", {"x": SERVICE | {"ID": "x"}})
        with pytest.raises(ConsulAway):
            await client.deregister("x")


async def test_keys_have_no_colon(server: CurrentConsul, client: Consul) -> None:
    """Consul 1.21.5 takes none: github.com/hashicorp/consul/issues/22822."""
    row = {"LockIndex": 0, "Flags": 0, "CreateIndex": 5, "ModifyIndex": 5}
    cluster = row | {"Key": "s/cluster", "Value": "eyJpZCI6ICJhYiJ9"}
    server.says("GET /v1/kv/s/", [cluster, row | {"Key": "s/ab/members/host=3A8081", "Value": "e30="}])
    server.says("PUT /v1/kv/s/ab/members/host=3A8081", True)
    store = ConsulStore(client, "s", "host:8081", 10)
    await store.report(ClusterMember("host:8081", "7f3a"))
    assert list(store.members) == ["host:8081"]


async def test_an_agent_that_says_nothing_is_noticed_long_before_a_query_has_waited(
    server: CurrentConsul, client: Consul, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "EVERY_S", 0.01)
    server.says("GET /v1/status/leader", "", status=500)  # an answer, too
    waiting = asyncio.create_task(client.instances("shop", index=5, wait_s=600))
    async with asyncio.timeout(60):
        while server.asked.count("GET /v1/status/leader") < 3:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        server.is_silent = True
        with pytest.raises(ConsulAway, match="no answer within 2 s"):
            await waiting
    asked = len(server.asked)
    await asyncio.sleep(0.1)
    assert len(server.asked) <= asked + 1, "nobody waits, nobody asks"
