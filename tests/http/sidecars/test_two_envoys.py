"""The gateway and a service with a sidecar each: what stays as without them, and the changes of docs/kubernetes.md."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts.ports import free_ports
from tests.http.certificates import Authority
from tests.http.client import Client, connect
from tests.http.conftest import Fleet
from tests.http.frames import TEXT, Frame, accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, get, message, ok, ok_chunked, post, post_chunked
from tests.http.origin import Call, Origin, Script
from tests.http.sidecars import mesh
from tests.http.stream import DEADLINE_S
from tests.support.exported import running

pytestmark = pytest.mark.walk

ROUTES = Path(__file__).with_name("routes_sidecars.yaml")
LARGE = b"0123456789abcdef" * (4 * 65536)
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Of the sidecar beside the gateway, and of the one beside the service."""
    outbound, inbound = free_ports(2)
    return outbound, inbound


@pytest.fixture(scope="module")
def sidecars(
    ports: tuple[int, int], upstream: Origin, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    outbound, inbound = ports
    beside_service, beside_gateway = tmp_path_factory.mktemp("service"), tmp_path_factory.mktemp("gateway")
    with (
        running("envoy", beside_service, mesh.inbound(inbound, upstream.port, authority), inbound),
        running("envoy", beside_gateway, mesh.outbound(outbound, inbound, authority), outbound),
    ):
        yield


@pytest.fixture
def gateway(fleet: Fleet, sidecars: None, ports: tuple[int, int]) -> GatewayProcess:
    return fleet.share("sidecars", routes=ROUTES, SIDECAR_PORT=str(ports[0]))


@pytest.fixture
def service(upstream: Origin) -> Script:
    """What Envoy sends is not the gateway's to answer for."""
    script = upstream.begin()
    script.lints = False
    return script


def test_a_websocket_is_switched_to_and_frames_pass_both_ways(client: Client, service: Script) -> None:
    def handle(call: Call) -> None:
        call.send(accepted() + Frame(TEXT, b"hello").encode())
        call.send(Frame(TEXT, read_frame(call.stream).payload).encode())
        call.close()

    service.answers(handle)
    assert client.ask(handshake()).status == 101
    assert read_frame(client).payload == b"hello"
    client.send(Frame(TEXT, b"back", masked=True).encode())
    assert read_frame(client).payload == b"back"


@pytest.mark.parametrize("raw", [post(b"/", body=LARGE), post_chunked(LARGE)], ids=["a length", "chunked"])
def test_a_body_of_four_megabytes_passes_both_ways(client: Client, service: Script, raw: bytes) -> None:
    service.answers(ok(body=LARGE))
    assert client.ask(raw).body == LARGE
    assert service.only.body == LARGE


def test_an_answer_streams(client: Client, service: Script) -> None:
    seen = threading.Event()

    def handle(call: Call) -> None:
        call.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + chunk(b"first"))
        assert seen.wait(DEADLINE_S)
        call.send(chunk(b"second") + b"0\r\n\r\n")

    service.answers(handle)
    client.send(get())
    assert client.head().status == 200
    assert client.until(b"first")
    seen.set()
    assert client.until(b"second")


def test_a_request_that_expects_100_is_asked_for_its_body(client: Client, service: Script) -> None:
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", b"Expect: 100-continue"))
    assert client.interim().start.startswith(b"HTTP/1.1 100")
    client.send(b"hello")
    assert client.answer().status == 200
    assert service.only.body == b"hello"


def test_who_has_no_certificate_of_the_mesh_is_refused(
    client: Client, service: Script, ports: tuple[int, int], authority: Authority
) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    with pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: PT012  # TLS 1.3 tells it with the first read
        connection = socket.create_connection(("127.0.0.1", ports[1]), timeout=DEADLINE_S)
        with context.wrap_socket(connection, server_hostname="shop.mesh") as stranger:
            stranger.sendall(get())
            if stranger.recv(1) == b"":
                raise ConnectionError
    assert service.requests == []


def test_an_interim_response_does_not_arrive(client: Client, service: Script) -> None:
    service.answers(lambda call: call.send(HINT + ok()))
    answer = client.ask(get())
    assert (answer.status, answer.interim) == (200, [])


def test_trailers_do_not_arrive_on_either_side(client: Client, service: Script) -> None:
    service.answers(ok_chunked(b"one", trailers=(b"X-Checksum: a",)))
    raw = post_chunked(b"one", lines=(b"TE: trailers", b"Connection: TE"), trailers=(b"X-Checksum: a",))
    answer = client.ask(raw)
    assert (answer.body, answer.trailers, service.only.trailers) == (b"one", [], [])


def test_another_upgrade_than_to_websocket_is_refused(sidecars: None, service: Script, ports: tuple[int, int]) -> None:
    """By the gateway's own sidecar."""
    client = connect(ports[0])
    answer = client.ask(message(b"GET / HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: tcp"))
    client.close()
    assert (answer.status, answer.get(b"server"), service.requests) == (403, b"envoy", [])


def test_a_path_with_dots_is_shortened(client: Client, service: Script) -> None:
    client.ask(get(b"/a%2Fb/../c//d?x=%20"))
    assert service.only.target == b"/c//d?x=%20"


def test_names_are_lower_case_and_envoy_adds_its_own(client: Client, service: Script) -> None:
    service.answers(ok(b"X-Of-Service: 1", b"Server: shop"))
    answer = client.ask(get(b"/", b"X-Of-Client: 1"))
    assert {b"x-of-service", b"server", b"x-envoy-upstream-service-time"} <= {name for name, _ in answer.fields}
    assert answer.get(b"server") == b"envoy"
    added = {b"x-request-id", b"x-forwarded-client-cert", b"x-envoy-expected-rq-timeout-ms", b"x-of-client"}
    assert added <= {name for name, _ in service.only.fields}
