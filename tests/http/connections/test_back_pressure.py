"""C7: a slow end slows the other down; the gateway holds little (gateway.md C7), in tunnels and pipelines too."""

import threading
from collections.abc import Iterator

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.frames import BINARY, Frame, accepted, close, handshake
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S, Stream

PIECE = b"x" * 65_536
HELD = 24_000_000
"""More than the kernel's buffers of four socket ends and 1 MB of the gateway's own hold."""
MEGABYTES = 128


@pytest.mark.parametrize(
    "head",
    [
        message(b"HTTP/1.1 200 OK", b"Content-Length: 1000000000"),
        message(b"HTTP/1.1 200 OK"),
        message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"3b9aca00\r\n",
    ],
    ids=["counted", "up to the close", "chunked"],
)
def test_an_upstream_is_not_read_faster_than_the_client_reads_C7(
    gateway: GatewayProcess, origin: Script, head: bytes
) -> None:
    client = gateway.connect(receive_buffer=65_536)
    sent: list[int] = []

    def handle(call: Call) -> None:
        call.reply(head)
        sent.append(call.stream.pour(PIECE, 200_000_000))
        call.close()

    origin.answers(handle)
    client.send(get())
    origin.wait_for(lambda: bool(sent))
    assert sent[0] < HELD


@pytest.mark.parametrize(
    "head",
    [
        message(b"POST / HTTP/1.1", HOST, b"Content-Length: 1000000000"),
        message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked") + b"3b9aca00\r\n",
    ],
    ids=["counted", "chunked"],
)
def test_a_client_is_not_read_faster_than_the_upstream_reads_C7(client: Client, origin: Script, head: bytes) -> None:
    proceed = threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.close()

    origin.answers(handle)
    client.send(head)
    sent = client.pour(PIECE, 200_000_000)
    proceed.set()
    assert sent < HELD


def test_a_slow_client_gets_every_byte_in_the_end_C7(gateway: GatewayProcess, origin: Script) -> None:
    client = gateway.connect(receive_buffer=65_536)
    body = bytes(range(256)) * 40_000
    origin.answers(ok(body=body))
    client.send(get())
    head = client.head()
    threading.Event().wait(0.3)
    assert client.exactly(int(head.get(b"content-length") or 0)) == body


def received(stream: Stream, size: int) -> int:
    while size > 0 and stream.fill(1 << 20):
        size -= len(stream.take(len(stream.buffer)))
    return size


@pytest.fixture
def growth(gateway: GatewayProcess) -> Iterator[None]:
    """The gateway's memory grows by less than 40 MB during the test."""
    before = gateway.rss
    yield
    assert gateway.rss - before < 40_000_000, f"{before} → {gateway.rss}"


@pytest.mark.usefixtures("growth")
def test_a_large_download_needs_little_memory_C7(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.reply(message(b"HTTP/1.1 200 OK", b"Content-Length: %d" % (MEGABYTES << 20)))
        for _ in range(MEGABYTES):
            call.send(PIECE * 16)

    origin.answers(handle)
    client.send(get())
    client.head()
    assert received(client, MEGABYTES << 20) == 0


@pytest.mark.usefixtures("growth")
def test_a_large_upload_needs_little_memory_C7(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        left = received(call.stream, MEGABYTES << 20)
        call.request.body = b""
        call.send(ok(body=b"%d" % left))

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: %d" % (MEGABYTES << 20)))
    for _ in range(MEGABYTES):
        client.send(PIECE * 16)
    assert client.answer().body == b"0"


@pytest.mark.usefixtures("growth")
def test_32_slow_readers_need_little_memory_C7(gateway: GatewayProcess, origin: Script) -> None:
    origin.answers(ok(body=PIECE * 160))
    clients = [gateway.connect(receive_buffer=65_536) for _ in range(32)]
    for client in clients:
        client.send(get())
    for client in clients:
        assert client.head().status == 200
    threading.Event().wait(0.3)


@pytest.mark.walk
def test_a_connection_is_never_kept_paused_for_the_next_client_C7(gateway: GatewayProcess, origin: Script) -> None:
    """Of so many sizes one ends just where the slow client's buffers are full."""
    for size in range(2_400_000, 4_000_000, 16_000):
        origin.fresh()
        origin.answers(ok(body=b"x" * size))
        slow = gateway.connect(receive_buffer=4096)
        slow.send(get(b"/slow"))
        assert slow.head().status == 200
        origin.answers(ok())
        assert gateway.connect().ask(get()).body == b"ok"
        slow.close()


BODY = b"x" * 200_000
MANY = 300
CLOSING = close(1000, masked=True).encode()


def test_who_pipelines_and_reads_nothing_is_not_answered_on_and_on_C7(gateway: GatewayProcess, origin: Script) -> None:
    origin.answers(ok(body=BODY))
    client = gateway.connect(receive_buffer=65_536)
    client.send(get() * MANY)
    answered = -1
    while len(origin.requests) > answered:
        answered = len(origin.requests)
        threading.Event().wait(0.3)
    assert answered * len(BODY) < HELD
    for _ in range(MANY):
        assert client.answer().body == BODY
    assert len(origin.requests) == MANY


def test_the_gateways_own_answers_wait_for_the_client_to_read_C7(share: Start, origin: Script) -> None:
    patient = {"STRANGLER_QUEUE_WAIT_S": "60"}  # a busy machine that gives it no turn is no overload
    gateway = share("with little memory so far", **patient)
    client = gateway.connect(receive_buffer=65_536)
    before = gateway.rss
    client.pour(get(b"/strict/a%2Fb") * 1000, 60_000_000)
    assert gateway.rss - before < 20_000_000
    for _ in range(1000):
        assert client.answer().status == 400
    assert not origin.requests


def test_what_comes_before_a_switch_passes_whole_and_what_follows_it_too_C7(client: Client, origin: Script) -> None:
    """More than the gateway holds behind a handshake: it reads on once the protocol has been switched."""
    proceed, sent, seen = threading.Event(), list[int](), list[int]()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.send(accepted())
        seen.append(len(call.stream.exactly(sent[0])))
        call.close()

    origin.answers(handle)
    client.send(handshake())
    sent.append(client.pour(PIECE, 64_000_000))
    assert sent[0] < HELD
    proceed.set()
    assert client.answer().status == 101
    assert client.ends()
    assert seen == sent


def test_a_head_of_nearly_the_limits_may_come_in_pieces_C7(client: Client, origin: Script) -> None:
    """Request line and header section together are more than the gateway holds of requests that wait."""
    origin.answers(ok())
    raw = get(b"/" + b"a" * 16_000, *[b"X-%d: %b" % (number, b"v" * 1000) for number in range(60)])
    client.send(raw[:-1])
    assert client.stays_silent(0.3)
    client.send(raw[-1:])
    assert client.answer().status == 200


@pytest.mark.walk
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_an_answer_that_ends_its_connection_waits_for_a_slow_reader_9112_9_6(
    share: Start, origin: Script, version: bytes
) -> None:
    """Of so many sizes some end in the gateway's own buffer."""
    gateway = share("in a hurry", STRANGLER_LINGER_S="0.1")
    bodies = [b"y" * size for size in range(2_500_000, 5_500_000, 50_000)]
    origin.answers(lambda call: _unframed(call, bodies[int(call.request.target[1:])]))
    clients = [gateway.connect(receive_buffer=65_536) for _ in bodies]
    for number, client in enumerate(clients):
        client.send(message(b"GET /%d HTTP/%b" % (number, version), HOST, b"Connection: close"))
    origin.wait_for(lambda: len(origin.requests) == len(bodies))
    threading.Event().wait(2.0)
    for body, client in zip(bodies, clients, strict=True):
        assert client.answer(version=version).body == body


def _unframed(call: Call, body: bytes) -> None:
    call.reply(message(b"HTTP/1.1 200 OK") + body)
    call.end()


def test_a_client_that_leaves_a_tunnel_has_sent_what_it_sent_9110_9_3_6(
    gateway: GatewayProcess, origin: Script
) -> None:
    """Of so many sizes some end in the gateway's own buffer."""
    proceed, seen = threading.Event(), dict[bytes, bytes]()

    def handle(call: Call) -> None:
        call.send(accepted())
        proceed.wait(20)
        seen[call.request.target] = call.stream.rest()
        call.close()

    origin.answers(handle)
    sizes = range(200_000, 5_000_000, 400_000)
    leaving = []
    for size in sizes:
        client = gateway.connect()
        assert client.ask(handshake(b"/%d" % size)).status == 101
        leaving.append(threading.Thread(target=_leave, args=(client, size)))
        leaving[-1].start()
    threading.Event().wait(0.5)
    proceed.set()
    for thread in leaving:
        thread.join(20)
    origin.wait_for(lambda: len(seen) == len(sizes))
    assert {target: len(data) for target, data in seen.items()} == {
        b"/%d" % size: size + 14 + len(CLOSING) for size in sizes
    }
    assert all(data.endswith(CLOSING) for data in seen.values())


def _leave(client: Client, size: int) -> None:
    client.send(Frame(BINARY, b"x" * size, masked=True).encode())
    client.send(CLOSING)
    client.finish()
