"""C7: a slow end slows the other down; the gateway holds little (gateway.md C7)."""

import threading
from collections.abc import Iterator

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S, Stream

PIECE = b"x" * 65_536
HELD = 24_000_000
"""More than the kernel's buffers of four socket ends and 1 MB of the gateway's own hold."""
MEGABYTES = 128


def pour(stream: Stream, most: int) -> int:
    """Sends until the other end takes no more for 0.4 s; the bytes it took."""
    stream.socket.settimeout(0.4)
    sent = 0
    try:
        while sent < most:
            sent += stream.socket.send(PIECE)
    except TimeoutError:
        pass
    finally:
        stream.socket.settimeout(DEADLINE_S)
    return sent


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
        sent.append(pour(call.stream, 200_000_000))
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
    sent = pour(client, 200_000_000)
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
