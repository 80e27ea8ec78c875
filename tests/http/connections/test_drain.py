"""The end of the process: what is under way is finished (issue, part 2)."""

import signal
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.http import frames
from tests.http.conftest import Start
from tests.http.frames import accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import chunk, chunked, get, message, ok, post
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S, eventually

pytestmark = pytest.mark.walk


@pytest.fixture
def own(start: Start, request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    """A gateway of this test alone, with more time to finish than a test waits, or as much as the test says."""
    gateway = start(STRANGLER_DRAIN_S=getattr(request, "param", "60"))
    yield gateway
    gateway.stop()


def refuses(gateway: GatewayProcess) -> bool:
    try:
        gateway.connect().close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_ends_at_once_with_0(own: GatewayProcess, origin: Script, number: signal.Signals) -> None:
    client = own.connect()
    assert client.ask(get()).status == 200
    own.signal(number)
    assert own.ends(20) == 0
    assert client.ends()


FINISHED = {
    b"/before-the-head": (b"", ok(body=b"finished")),
    b"/counted": (message(b"HTTP/1.1 200 OK", b"Content-Length: 8") + b"fini", b"shed"),
    b"/chunked": (message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + chunk(b"fini"), chunked(b"shed")),
}


def test_what_is_under_way_is_finished_and_nothing_else_is_taken(own: GatewayProcess, origin: Script) -> None:
    go = threading.Event()

    def handle(call: Call) -> None:
        before, after = FINISHED.get(call.request.target, (b"", ok()))
        call.send(before)
        go.wait(DEADLINE_S)
        call.reply(after)

    origin.answers(handle)
    clients = {target: own.connect() for target in FINISHED}
    for target, client in clients.items():
        client.send(get(target))
    uploading = own.connect()
    uploading.send(post(b"/upload")[:-3])
    assert origin.saw(4)
    own.signal()
    assert eventually(lambda: refuses(own)), "still accepts connections"
    uploading.send(b"llo")
    go.set()
    answers = {target: client.answer() for target, client in clients.items()}
    assert {answer.body for answer in answers.values()} == {b"finished"}
    assert b"close" in answers[b"/before-the-head"].options(), "RFC 9112 §9.6"
    assert uploading.answer().status == 200
    assert all(client.ends() for client in (*clients.values(), uploading))
    assert own.ends(20) == 0
    assert {request.target for request in origin.requests} == {*FINISHED, b"/upload"}


@pytest.mark.parametrize("own", ["0.3"], indirect=True)
def test_at_the_deadline_sockets_are_closed_with_1001_and_the_rest_is_ended_6455_7_4_1(
    own: GatewayProcess, origin: Script
) -> None:
    ended = threading.Semaphore(0)

    def handle(call: Call) -> None:
        if call.request.target == b"/ws":
            call.send(accepted())
        call.stream.rest()
        ended.release()
        call.close()

    origin.answers(handle)
    socket, hanging = own.connect(), own.connect()
    assert socket.ask(handshake()).status == 101
    hanging.send(get(b"/hanging"))
    assert origin.saw(2)
    own.signal()
    frame = read_frame(socket)
    assert (frame.opcode, frame.payload[:2]) == (frames.CLOSE, b"\x03\xe9")
    assert own.ends(20) == 0
    assert b"200" not in hanging.rest()[:20]
    assert ended.acquire(timeout=DEADLINE_S)
    assert ended.acquire(timeout=DEADLINE_S)


def test_a_second_signal_ends_at_once(own: GatewayProcess, origin: Script) -> None:
    origin.answers(lambda call: call.end() if call.gone() else None)
    own.connect().send(get())
    assert origin.saw(1)
    own.signal()
    assert eventually(lambda: refuses(own))
    own.signal()
    assert own.ends(20) is not None


def test_in_the_time_of_grace_it_is_not_ready_but_serves(start: Start, origin: Script) -> None:
    gateway = start(STRANGLER_GRACE_S="5")
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.admin_port}", trust_env=False) as admin:
        assert admin.get("/health/ready").status_code == 200
        gateway.signal()
        assert eventually(lambda: admin.get("/health/ready").status_code == 503)
    assert gateway.connect().ask(get()).status == 200
    assert gateway.ends(20) == 0
