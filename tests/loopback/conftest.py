"""The gateway as a process of its own, once per lane, between raw sockets."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.loopback.certificates import Authority
from tests.loopback.client import Client
from tests.loopback.gateway_process import GatewayProcess
from tests.loopback.origin import Origin, Script, listen

ROUTES = Path(__file__).with_name("routes.yaml")
_ONLY = os.environ.get("STRANGLER_LANE")
LANES = [_ONLY] if _ONLY else ["fast", "asgi"]
Start = Callable[..., GatewayProcess]


@pytest.fixture(scope="session", params=LANES)
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Origin]:
    origin = Origin(listen())
    yield origin
    origin.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "trusted")


@pytest.fixture(scope="session")
def refusing_port() -> Iterator[int]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture(scope="session")
def unanswering_port() -> Iterator[int]:
    """A port whose queue is full: a connection attempt is neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def environ(
    lane: str, upstream: Origin, authority: Authority, refusing_port: int, unanswering_port: int
) -> dict[str, str]:
    return {
        "STRANGLER_LANE": lane,
        "ORIGIN_PORT": str(upstream.port),
        "REFUSING_PORT": str(refusing_port),
        "UNANSWERING_PORT": str(unanswering_port),
        "SECURE_PORT": str(refusing_port),
        "CA_FILE": str(authority.file),
    }


@pytest.fixture(scope="session")
def running(lane: str) -> Iterator[list[GatewayProcess]]:
    processes: list[GatewayProcess] = []
    yield processes
    for process in processes:
        process.stop()


@pytest.fixture(scope="session")
def start(environ: dict[str, str], running: list[GatewayProcess], tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts a gateway; `environ` adds to the environment, `routes` is the suite's unless given."""

    def start(*options: str, routes: Path = ROUTES, **more: str) -> GatewayProcess:
        process = GatewayProcess(routes, tmp_path_factory.mktemp("state"), {**environ, **more}, *options)
        running.append(process)
        return process

    return start


@pytest.fixture(scope="session")
def gateway(start: Start) -> GatewayProcess:
    """With all defaults."""
    return start()


@pytest.fixture(scope="session")
def trusting(start: Start) -> GatewayProcess:
    """Takes the loopback for a trusted proxy."""
    return start(TRUSTED_PROXY="127.0.0.0/8")


@pytest.fixture(scope="session")
def impatient(start: Start) -> GatewayProcess:
    """Waits 0.3 s for a header or a body, and has room for 20 connections."""
    return start(
        STRANGLER_HEADER_TIMEOUT_S="0.3", STRANGLER_BODY_TIMEOUT_S="0.3", STRANGLER_MAX_CONNECTIONS="20",
        STRANGLER_KEEP_ALIVE_S="0.3",
    )  # fmt: skip


@pytest.fixture
def client(gateway: GatewayProcess) -> Client:
    return gateway.connect()


@pytest.fixture
def origin(upstream: Origin) -> Iterator[Script]:
    """The upstream's script of this test. Whatever the gateway sent it, none may be malformed."""
    script = upstream.begin()
    yield script
    script.settle()
    if script.faults:
        raise script.faults[0]


@pytest.fixture(autouse=True)
def _quiet(running: list[GatewayProcess]) -> Iterator[None]:
    """After each test: clients leave, every gateway that was running still does, and has logged no error."""
    before = [process for process in running if process.alive]
    yield
    for process in running:
        process.hang_up()
        complaints = process.complaints()
        assert not complaints, "\n".join(complaints)
    assert all(process.alive or process.was_signalled for process in before), "a gateway has died"
