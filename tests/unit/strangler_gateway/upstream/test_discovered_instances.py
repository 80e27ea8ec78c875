"""A gateway on a real Consul: traffic follows instances at once, and goes on whatever happens to Consul."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from chassis.discovery.consul import WAIT_S
from parts.servers import consul as part
from tests.http.gateway_process import GatewayProcess
from tests.unit.strangler_gateway.server.test_serve import Upstream

pytestmark = pytest.mark.connected
DEADLINE_S = 60
CHECK_S = 0.2
ROUTES = """\
version: 1
services:
  items: {discover: "consul://items?tag=v1"}
routes:
  - {id: everything, match: {path: "/{rest...}"}, legacy: items}
"""


class DiscoverySite:
    """A gateway, a Consul of its own, and instances on ports of their own."""

    def __init__(self, folder: Path, server: part.ConsulServer, *, workers: str = "1") -> None:
        self.server, self.list = server, folder / "instances.jsonl"
        self.instances: list[Upstream] = []
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES)
        environ = {"STRANGLER_CONSUL_URL": server.url, "STRANGLER_WORKERS": workers, "STRANGLER_CONSUL_TIMEOUT_S": "1"}
        self.gateway = GatewayProcess(routes, folder / "state", environ)

    def add(self) -> Upstream:
        """A new instance that is not registered yet."""
        instance = Upstream()
        instance.more = {"port": instance.port}
        self.instances.append(instance)
        return instance

    def register(self, *instances: Upstream) -> None:
        """These and no others, by the registrar."""
        lines = [{"service": "items", "host": "127.0.0.1", "port": one.port, "tags": ["v1"]} for one in instances]
        self.list.write_text("".join(json.dumps(line) + "\n" for line in lines))
        command = [sys.executable, "-m", "chassis.registrar", "--once", "--list", str(self.list)]
        environ = {"REGISTRAR_CONSUL_URL": self.server.url}
        subprocess.run([*command, "--check-interval", str(CHECK_S)], env=environ, check=True, capture_output=True)

    def passing(self) -> int:
        url = f"{self.server.url}/v1/health/service/items?passing=1"
        return len(httpx.get(url, timeout=DEADLINE_S).raise_for_status().json())

    def ask(self) -> int | None:
        """The port of the instance that has answered; None: an error of the gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", "/item/1")
            answer = connection.getresponse()
            content = json.loads(answer.read())
            return int(content["port"]) if answer.status == 200 else None
        finally:
            connection.close()

    def asked(self, times: int = 20) -> set[int | None]:
        return {self.ask() for _ in range(times)}

    def discovery(self) -> dict[str, object]:
        page = httpx.get(f"http://127.0.0.1:{self.gateway.admin_port}/services", timeout=DEADLINE_S).json()
        found: dict[str, object] = page["services"][0]["discovery"]
        return found

    def degraded(self) -> bool:
        answer = httpx.get(f"http://127.0.0.1:{self.gateway.admin_port}/health/ready", timeout=DEADLINE_S)
        assert answer.status_code == 200
        return "discovery" in answer.json().get("degraded", [])

    def close(self) -> None:
        self.gateway.stop()
        for instance in self.instances:
            instance.close()


def eventually(holds: Callable[[], bool]) -> float:
    """After how many seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + DEADLINE_S
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[part.ConsulServer]:
    with part.own(tmp_path_factory.mktemp("consul")) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: part.ConsulServer) -> Iterator[DiscoverySite]:
    site = DiscoverySite(tmp_path, server)
    yield site
    site.register()
    site.close()


def test_an_instance_gets_traffic_soon_after_its_check_and_none_when_it_leaves(site: DiscoverySite) -> None:
    """A gateway that is not told learns of each after half a question, on average: in 1.5 × `WAIT_S` of all three."""
    assert site.ask() is None
    one, two = site.add(), site.add()
    site.register(one)
    eventually(lambda: site.passing() == 1)
    came = eventually(lambda: site.ask() == one.port)
    site.register(one, two)
    eventually(lambda: site.passing() == 2)
    eventually(lambda: site.ask() == two.port)  # a new instance gets its part little by little
    two.close()  # it has died: its check fails
    site.instances.remove(two)
    eventually(lambda: site.passing() == 1)
    died = eventually(lambda: site.asked() == {one.port})
    site.register()
    left = eventually(lambda: site.ask() is None)
    assert came + died + left < WAIT_S
    assert site.gateway.complaints() == []


def test_traffic_goes_on_while_consul_restarts_hangs_or_is_wiped_and_is_marked(site: DiscoverySite) -> None:
    one, two = site.add(), site.add()
    site.register(one, two)
    eventually(lambda: site.passing() == 2)
    eventually(lambda: len(site.asked()) == 2)
    ports = {one.port, two.port}
    assert not site.degraded()

    site.server.kill()
    eventually(site.degraded)
    assert site.asked() <= ports
    assert site.discovery()["problem"]
    site.server.start()
    eventually(lambda: not site.degraded())
    assert site.asked() <= ports

    site.server.suspend()
    assert site.asked() <= ports
    eventually(site.degraded)
    assert site.asked() <= ports
    site.server.resume()
    eventually(lambda: not site.degraded())

    site.server.wipe()
    eventually(lambda: "no instance" in str(site.discovery()["problem"]))
    assert site.asked() <= ports
    site.register(one, two)
    eventually(lambda: not site.degraded())
    assert site.asked() <= ports


def test_every_worker_follows_the_instances(tmp_path: Path, server: part.ConsulServer) -> None:
    site = DiscoverySite(tmp_path, server, workers="2")
    try:
        one = site.add()
        site.register(one)
        eventually(lambda: site.asked() == {one.port})
        assert site.discovery()["problem"] is None
    finally:
        site.register()
        site.close()
