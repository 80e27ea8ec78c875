"""The gateway as a process of its own between raw sockets."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.http.certificates import Authority
from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.origin import Origin, Script, listen

ROUTES = Path(__file__).with_name("routes.yaml")
Start = Callable[..., GatewayProcess]


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
def environ(upstream: Origin, authority: Authority, refusing_port: int, unanswering_port: int) -> dict[str, str]:
    return {
        "ORIGIN_PORT": str(upstream.port),
        "REFUSING_PORT": str(refusing_port),
        "UNANSWERING_PORT": str(unanswering_port),
        "CA_FILE": str(authority.file),
    }


class Fleet:
    """All gateways of the session; those that are shared are started when first wanted."""

    def __init__(self, environ: dict[str, str], directories: pytest.TempPathFactory) -> None:
        self._environ = environ
        self._directories = directories
        self._shared: dict[str, GatewayProcess] = {}
        self.processes: list[GatewayProcess] = []

    def start(self, *options: str, routes: Path = ROUTES, **more: str) -> GatewayProcess:
        """One of its own; `more` adds to its environment, `routes` is the suite's unless given."""
        state_dir = self._directories.mktemp("state")
        environ = {**self._environ, **more}
        self.processes.append(GatewayProcess(routes, state_dir, environ, *options))
        return self.processes[-1]

    def share(self, name: str, *options: str, routes: Path = ROUTES, **more: str) -> GatewayProcess:
        """The one of this name."""
        if name not in self._shared:
            self._shared[name] = self.start(*options, routes=routes, **more)
        return self._shared[name]


@pytest.fixture(scope="session")
def fleet(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(environ, tmp_path_factory)
    yield fleet
    for process in fleet.processes:
        process.stop()


@pytest.fixture
def start(fleet: Fleet) -> Start:
    """Starts a gateway for one test."""
    return fleet.start


@pytest.fixture
def share(fleet: Fleet) -> Start:
    """Gives a gateway of a name, started with these options when it is first asked for."""
    return fleet.share


@pytest.fixture
def gateway(share: Start) -> GatewayProcess:
    """With all defaults."""
    return share("default")


@pytest.fixture
def trusting(share: Start) -> GatewayProcess:
    """Takes the loopback for a trusted proxy."""
    return share("trusting", TRUSTED_PROXY="127.0.0.0/8")


@pytest.fixture
def impatient(share: Start) -> GatewayProcess:
    """Waits 1.5 s for a header or a body."""
    waits = ("HEADER_TIMEOUT", "BODY_TIMEOUT", "KEEP_ALIVE")
    return share("impatient", **{f"STRANGLER_{name}_S": "1.5" for name in waits})


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
def _quiet(fleet: Fleet) -> Iterator[None]:
    """After each test: clients leave, every gateway that was running still does, and has logged no error."""
    before = [process for process in fleet.processes if process.alive]
    yield
    for process in fleet.processes:
        process.hang_up()
        complaints = process.complaints()
        assert not complaints, "\n".join(complaints)
    assert all(process.alive or process.was_signalled for process in before), "a gateway has died"
