"""Clients reach the gateway through k8s/components/gateway-api/ as it stands, by a real Envoy Gateway."""

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from images.engine import ROOT
from parts.ports import free_port
from parts.process import is_open
from tests.export.test_exported_httproutes import envoy_gateway  # noqa: F401  # a fixture
from tests.support.envoy_gateway.objects import GATEWAY_GROUP, Json, made, paths_as_sent
from tests.support.envoy_gateway.server import EnvoyGateway, as_list, until
from tests.support.exported import WAITS, StandIn, ask

pytestmark = pytest.mark.cluster

ROUTE: Path = ROOT / "k8s/components/gateway-api/route.yaml"
HOST = "api.polycode.example"
LONGER_THAN_A_DEFAULT_S = 17


class Echo(socketserver.StreamRequestHandler):
    """Takes every upgrade, and sends back what comes then."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while received := self.connection.recv(1024):
            self.connection.sendall(received)


@pytest.fixture(scope="module")
def port(envoy_gateway: EnvoyGateway) -> Iterator[int]:  # noqa: F811
    """Of the Gateway that the route names; a stand-in is behind the Service gateway."""
    with StandIn("gateway") as stand:
        found = free_port()
        until(partial(is_open, envoy_gateway.port), "the Envoy of the other Gateway is there")
        envoy_gateway.kubectl.run("delete", "gateways", "public")  # two Envoys would need numbers to share a network
        envoy_gateway.kubectl.apply(as_list(objects(found, stand.server_address[1])))
        envoy_gateway.kubectl.run("apply", f"--filename={ROUTE}")
        path = "//until/the/policy/holds"
        until(lambda: answers(found, path), "the route is served, and slashes stay")
        yield found


def answers(port: int, path: str) -> bool:
    try:
        return ask(port, "GET", f"http://{HOST}{path}").target == path
    except OSError:
        return False


def objects(port: int, behind: int) -> Iterator[Json]:
    for name in ("ingress", "polycode"):
        yield made("v1", "Namespace", name, None)
    listener = {"name": "http", "protocol": "HTTP", "port": port, "allowedRoutes": {"namespaces": {"from": "All"}}}
    spec = {"gatewayClassName": "here", "listeners": [listener]}
    yield made(f"{GATEWAY_GROUP}/v1", "Gateway", "public", "ingress", spec=spec)
    policy = paths_as_sent()
    policy["metadata"]["namespace"] = "ingress"
    yield policy
    yield from service(behind)


def service(behind: int) -> Iterator[Json]:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    yield made("v1", "Service", "gateway", "polycode", spec={"ports": ports})
    slice_ = made("discovery.k8s.io/v1", "EndpointSlice", "gateway", "polycode", addressType="FQDN")
    slice_["metadata"]["labels"] = {"kubernetes.io/service-name": "gateway"}
    slice_ |= {"ports": [{"name": "http", "port": behind, "protocol": "TCP"}]}
    yield slice_ | {"endpoints": [{"addresses": ["gateway.localhost"], "conditions": {"ready": True}}]}


@pytest.mark.parametrize("path", ["/", "/item/a%2Fb", "//item", "/item/", "/item?x=%2F", "/%C3%A9"])
def test_the_gateway_gets_every_path_of_its_host_as_it_was_sent(port: int, path: str) -> None:
    assert ask(port, "GET", f"http://{HOST}{path}").target == path
    assert ask(port, "GET", f"http://another.example{path}").status == 404


def test_no_answer_is_ended_before_the_gateway_ends_it(port: int) -> None:
    answered = ask(port, "POST", f"http://{HOST}/x", f"{WAITS.decode()}: {LONGER_THAN_A_DEFAULT_S}")
    assert answered.service == "gateway"


def test_a_websocket_stays_open_while_nobody_says_anything(envoy_gateway: EnvoyGateway, port: int) -> None:  # noqa: F811
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as echo:
        echo.daemon_threads = True
        threading.Thread(target=echo.serve_forever, args=(0.05,), daemon=True).start()
        envoy_gateway.kubectl.apply(as_list(service(echo.server_address[1])))
        until(lambda: takes_upgrades(port), "the server behind the Service takes upgrades")
        with socket.create_connection(("127.0.0.1", port), 60) as client:
            assert upgraded(client)
            readable, _, _ = select.select([client], [], [], LONGER_THAN_A_DEFAULT_S)
            assert readable == []  # nor is it closed
            client.sendall(b"still there?")
            assert client.recv(1024) == b"still there?"
        echo.shutdown()


def takes_upgrades(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        return upgraded(client)


def upgraded(client: socket.socket) -> bool:
    """Whether the connection has become a WebSocket."""
    fields = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA")
    client.sendall("\r\n".join(["GET /ws HTTP/1.1", f"Host: {HOST}", *fields, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head and (received := client.recv(1024)):
        head += received
    return head.startswith(b"HTTP/1.1 101 ")
