"""The end of the process: what is under way is finished (issue, part 2)."""

import signal
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.loopback import frames
from tests.loopback.conftest import Start
from tests.loopback.frames import accepted, handshake, read_frame
from tests.loopback.gateway_process import GatewayProcess
from tests.loopback.message import HOST, chunk, get, message, ok, post
from tests.loopback.origin import Call, Script
from tests.loopback.stream import eventually


@pytest.fixture
def mortal(start: Start) -> Iterator[GatewayProcess]:
    """A gateway of this test alone, with time to finish."""
    gateway = start(STRANGLER_DRAIN_S="20")
    yield gateway
    gateway.stop()


@pytest.fixture
def hasty(start: Start) -> Iterator[GatewayProcess]:
    """A gateway of this test alone, that does not wait."""
    gateway = start(STRANGLER_DRAIN_S="0.3")
    yield gateway
    gateway.stop()


class Held:
    """Holds each request until the test lets go."""

    def __init__(self, before: bytes = b"", after: bytes = ok(body=b"finished")) -> None:
        self.go = threading.Event()
        self.before, self.after = before, after

    def __call__(self, call: Call) -> None:
        call.send(self.before)
        self.go.wait(5)
        call.body()
        call.send(self.after)


def refuses(gateway: GatewayProcess) -> bool:
    try:
        gateway.connect().close()
    except OSError:
        return True
    return False


def test_an_idle_gateway_ends_at_once_with_0(mortal: GatewayProcess, origin: Script) -> None:
    client = mortal.connect()
    assert client.ask(get()).status == 200
    mortal.signal()
    assert mortal.ends(3) == 0
    assert client.ends()


@pytest.mark.parametrize(
    ("before", "after", "body"),
    [
        (b"", ok(body=b"finished"), b"finished"),
        (message(b"HTTP/1.1 200 OK", b"Content-Length: 4") + b"ab", b"cd", b"abcd"),
        (
            message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + chunk(b"ab"),
            chunk(b"cd") + b"0\r\n\r\n",
            b"abcd",
        ),
    ],
    ids=["before the head", "in a counted body", "in a chunked body"],
)
def test_a_request_under_way_is_finished_and_no_other_is_taken(
    mortal: GatewayProcess, origin: Script, before: bytes, after: bytes, body: bytes
) -> None:
    held = Held(before, after)
    origin.answers(held)
    client = mortal.connect()
    client.send(get(b"/first"))
    assert origin.saw(1)
    mortal.signal()
    assert eventually(lambda: refuses(mortal)), "still accepts connections"
    held.go.set()
    assert client.answer().body == body
    assert client.ends()
    assert mortal.ends(3) == 0
    assert [request.target for request in origin.requests] == [b"/first"]


def test_an_upload_under_way_is_finished(mortal: GatewayProcess, origin: Script) -> None:
    client = mortal.connect()
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", body=b"he"))
    assert origin.saw(1)
    mortal.signal()
    assert eventually(lambda: refuses(mortal))
    client.send(b"llo")
    assert client.answer().status == 200
    assert origin.only.body == b"hello"
    assert mortal.ends(3) == 0


def test_an_answer_during_the_drain_says_that_the_connection_ends_9112_9_6(
    mortal: GatewayProcess, origin: Script
) -> None:
    held = Held()
    origin.answers(held)
    client = mortal.connect()
    client.send(post())
    assert origin.saw(1)
    mortal.signal()
    assert eventually(lambda: refuses(mortal))
    held.go.set()
    assert b"close" in client.answer().options()


def test_a_websocket_is_closed_with_1001_at_the_deadline_6455_7_4_1(hasty: GatewayProcess, origin: Script) -> None:
    done = threading.Event()
    upstream_saw: list[bytes] = []

    def handle(call: Call) -> None:
        call.send(accepted())
        upstream_saw.append(call.stream.rest())
        done.set()
        call.close()

    origin.answers(handle)
    client = hasty.connect()
    assert client.ask(handshake()).status == 101
    hasty.signal()
    frame = read_frame(client)
    assert (frame.opcode, frame.payload[:2]) == (frames.CLOSE, b"\x03\xe9")
    assert hasty.ends(3) == 0
    assert done.wait(2)


def test_what_does_not_end_is_ended_at_the_deadline(hasty: GatewayProcess, origin: Script) -> None:
    held = Held()
    origin.answers(held)
    client = hasty.connect()
    client.send(get())
    assert origin.saw(1)
    hasty.signal()
    assert hasty.ends(4) == 0
    client.rest()
    held.go.set()


def test_a_second_signal_ends_at_once(mortal: GatewayProcess, origin: Script) -> None:
    held = Held()
    origin.answers(held)
    client = mortal.connect()
    client.send(get())
    assert origin.saw(1)
    mortal.signal()
    assert eventually(lambda: refuses(mortal))
    mortal.signal()
    assert mortal.ends(3) is not None
    held.go.set()


def test_an_interrupt_from_the_keyboard_ends_it_too(mortal: GatewayProcess) -> None:
    mortal.signal(signal.SIGINT)
    assert mortal.ends(3) == 0


def test_in_the_time_of_grace_it_is_not_ready_but_serves(start: Start, origin: Script) -> None:
    gateway = start(STRANGLER_GRACE_S="1.5")
    ready = f"http://127.0.0.1:{gateway.admin_port}/health/ready"
    assert httpx.get(ready).status_code == 200
    gateway.signal()
    assert eventually(lambda: httpx.get(ready).status_code == 503, 1.0)
    assert gateway.connect().ask(get()).status == 200
    assert gateway.ends(4) == 0
