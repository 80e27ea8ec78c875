"""C7 at its edges: pipelining without reading, answers that end their connection, tunnels that a client leaves."""

import contextlib
import threading

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.frames import BINARY, Frame, accepted, close, handshake
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

BODY = b"x" * 200_000
MANY = 300
CLOSING = close(1000, masked=True).encode()
HELD = 24_000_000
"""More than the kernel's buffers of two socket ends and the gateway's own hold."""


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
    gateway = share("with little memory so far")
    client = gateway.connect(receive_buffer=65_536)
    before = gateway.rss
    client.socket.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 60_000_000:
            sent += client.socket.send(get(b"/strict/a%2Fb") * 1000)
    assert gateway.rss - before < 20_000_000
    client.socket.settimeout(DEADLINE_S)
    for _ in range(1000):
        assert client.answer().status == 400
    assert not origin.requests


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
