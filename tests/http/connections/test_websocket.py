"""S2, S3: WebSocket and other upgrades (RFC 6455, RFC 9110 §7.8)."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.http import frames
from tests.http.client import Client
from tests.http.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import Answer, get, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S, Stream

Leave = Callable[[Client], None]


class Server:
    """A WebSocket upstream: accepts, then hands its end of the socket to the test."""

    def __init__(self) -> None:
        self.answer = accepted()
        self.ready = threading.Event()
        self.done = threading.Event()
        self.accepted: Call

    def __call__(self, call: Call) -> None:
        self.accepted = call
        call.send(self.answer)
        self.ready.set()
        self.done.wait(DEADLINE_S)
        call.close()

    @property
    def call(self) -> Call:
        assert self.ready.wait(DEADLINE_S)
        return self.accepted

    @property
    def stream(self) -> Stream:
        return self.call.stream


@pytest.fixture
def server(origin: Script) -> Iterator[Server]:
    server = Server()
    origin.answers(server)
    yield server
    server.done.set()


def opened(client: Client, raw: bytes = handshake()) -> Answer:
    answer = client.ask(raw)
    assert answer.status == 101, answer.raw + answer.body
    return answer


def test_the_handshake_passes_end_to_end_and_nothing_is_made_up_6455_4(
    client: Client, server: Server, origin: Script
) -> None:
    answer = opened(client)
    assert answer.get(b"sec-websocket-accept") == frames.ACCEPT
    request = origin.only
    assert (request.get(b"sec-websocket-key"), request.get(b"sec-websocket-version")) == (frames.KEY, b"13")
    for head in (answer, request):
        assert (head.get(b"upgrade") or b"").lower() == b"websocket"
        assert b"upgrade" in head.options()
        assert not head.all(b"sec-websocket-protocol") + head.all(b"sec-websocket-extensions")


@pytest.mark.parametrize(
    "connection",
    [
        b"connection: keep-alive, upgrade",
        b"Connection: keep-alive\r\nConnection: UPGRADE",
        b"Connection: \r\nConnection: Upgrade",
    ],
)
@pytest.mark.parametrize("upgrade", [b"Upgrade: websocket", b"UPGRADE: WebSocket"])
def test_the_handshake_is_known_in_every_spelling_6455_4_2_1(
    client: Client, server: Server, connection: bytes, upgrade: bytes
) -> None:
    raw = handshake().replace(b"Connection: Upgrade", connection).replace(b"Upgrade: websocket", upgrade)
    opened(client, raw)
    assert server.stream


def test_subprotocol_and_extensions_are_the_upstreams_to_choose_6455_1_9(
    client: Client, server: Server, origin: Script
) -> None:
    server.answer = accepted(b"Sec-WebSocket-Protocol: chat.v2", b"Sec-WebSocket-Extensions: permessage-deflate")
    lines = [
        b"Sec-WebSocket-Protocol: chat.v1, chat.v2", b"Origin: https://shop.example", b"Cookie: a=b",
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", b"Authorization: Bearer x",
    ]  # fmt: skip
    answer = opened(client, handshake(b"/ws?x=1", *lines))
    assert answer.get(b"sec-websocket-protocol") == b"chat.v2"
    assert answer.get(b"sec-websocket-extensions") == b"permessage-deflate"
    assert [line for line in lines if tuple(line.split(b": ", 1)) not in origin.only.fields] == []
    assert origin.only.target == b"/ws?x=1"


def test_frames_pass_both_ways_unchanged_in_their_order_6455_5(client: Client, server: Server) -> None:
    sizes = (0, 125, 126, 65_535, 65_536, 1_000_000)
    sent = [Frame(BINARY, b"x" * size) for size in sizes] + [
        Frame(TEXT, "grüße".encode()), Frame(TEXT, b"a", final=False), Frame(PING, b"are you there"),
        Frame(CONTINUATION, b"b", final=False), Frame(CONTINUATION, b""), Frame(PONG, b""), Frame(PING, b""),
    ]  # fmt: skip
    opened(client)
    for _ in range(20):
        for frame in sent[-7:] if _ else sent:
            masked = Frame(frame.opcode, frame.payload, frame.final, masked=True)
            client.send(masked.encode())
            assert read_frame(server.stream) == masked
            server.call.send(frame.encode())
            assert read_frame(client) == frame
    compressed = bytes([0xC1, 3]) + b"\x00\x01\x02"  # RFC 7692 §6
    server.call.send(compressed)
    assert client.exactly(len(compressed)) == compressed


def test_frames_in_the_segment_of_either_handshake_arrive_6455_4_2_2(client: Client, server: Server) -> None:
    server.answer += Frame(TEXT, b"first").encode()
    client.send(handshake() + Frame(TEXT, b"eager", masked=True).encode())
    assert client.answer().status == 101
    assert read_frame(client).payload == b"first"
    assert read_frame(server.stream).payload == b"eager"


CODES = [(1000, b"bye"), (1001, b""), (1002, b"protocol"), (1011, b"oops"), (3000, b""), (4999, "schluß".encode())]


@pytest.mark.parametrize("by_client", [True, False])
@pytest.mark.parametrize(("code", "reason"), CODES)
def test_a_close_passes_with_code_and_reason_6455_7_1(
    client: Client, server: Server, code: int, reason: bytes, by_client: bool
) -> None:
    opened(client)
    first, second = (client, server.stream) if by_client else (server.stream, client)
    first.send(frames.close(code, reason, masked=by_client).encode())
    assert read_frame(second) == frames.close(code, reason, masked=by_client)
    second.send(frames.close(code, masked=not by_client).encode())
    assert read_frame(first) == frames.close(code, masked=not by_client)
    server.done.set()
    assert client.ends()


def test_a_close_without_a_code_stays_without_one_6455_7_4_1(client: Client, server: Server) -> None:
    opened(client)
    server.call.send(Frame(CLOSE).encode())
    assert read_frame(client) == Frame(CLOSE)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_upstream_that_drops_the_line_drops_the_clients_6455_7_1_5(client: Client, server: Server, how: str) -> None:
    opened(client)
    getattr(server.call, how)()
    rest = client.rest()
    assert rest == b"" or rest[:1] == b"\x88"
    assert b"\x03\xee" not in rest, "1006 is never sent"
    assert b"\x03\xed" not in rest, "1005 is never sent"


@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["close", "reset"])
def test_a_client_that_leaves_ends_the_upstreams_socket_C2(client: Client, server: Server, leave: Leave) -> None:
    opened(client)
    stream = server.stream
    leave(client)
    assert stream.rest()[:1] in (b"", b"\x88")


@pytest.mark.parametrize("status", [b"400 Bad", b"401 No", b"426 Upgrade", b"503 Busy", b"302 Found", b"200 OK"])
def test_a_refusal_of_the_upstream_passes_and_the_connection_goes_on_6455_4_2_2(
    client: Client, origin: Script, status: bytes
) -> None:
    origin.answers(ok(b"X-Why: no seat", b"Content-Type: text/plain", b"Set-Cookie: a=b", body=b"no", status=status))
    answer = client.ask(handshake())
    assert (answer.status, answer.body, answer.error) == (int(status[:3]), b"no", None)
    assert (answer.get(b"x-why"), answer.get(b"set-cookie")) == (b"no seat", b"a=b")
    assert client.ask(get()).body == b"no"


@pytest.mark.parametrize(
    ("target", "status"),
    [(b"/refusing/ws", 502), (b"/members/ws", 401), (b"/strict/..", 400), (b"/limited/ws", 429)],
)
def test_the_gateways_own_refusal_comes_before_any_101_S2(
    client: Client, origin: Script, target: bytes, status: int
) -> None:
    if status == 429:
        client.ask(get(b"/limited/a"))
        origin.requests.clear()
    answer = client.ask(handshake(target))
    assert (answer.status, answer.error is not None) == (status, True)
    assert not origin.requests


@pytest.mark.parametrize("by_client", [True, False])
def test_a_slow_end_of_a_socket_is_not_written_to_without_bound_C7(
    gateway: GatewayProcess, server: Server, by_client: bool
) -> None:
    client = gateway.connect(receive_buffer=65536)
    opened(client)
    stream = client if by_client else server.stream
    assert server.stream
    frame = Frame(BINARY, b"x" * 65_000, masked=by_client).encode()
    assert stream.pour(frame, 100_000_000) < 40_000_000


def test_an_idle_socket_lives_longer_than_the_idle_time_of_the_service_C4(client: Client, server: Server) -> None:
    opened(client, handshake(b"/quick/ws"))
    assert client.stays_silent(2.0)
    client.send(Frame(TEXT, b"still here", masked=True).encode())
    assert read_frame(server.stream).payload == b"still here"


def test_an_idle_socket_is_pinged_where_the_service_says_so_6455_5_5_2(client: Client, server: Server) -> None:
    opened(client, handshake(b"/pinging/ws"))
    assert read_frame(client).opcode == PING
    client.send(Frame(TEXT, b"still here", masked=True).encode())
    while (frame := read_frame(server.stream)).opcode in (PING, PONG):
        pass
    assert frame.payload == b"still here"


def test_no_ping_is_put_into_the_middle_of_a_frame_6455_5_4(client: Client, server: Server) -> None:
    opened(client, handshake(b"/pinging/ws"))
    raw = Frame(BINARY, b"x" * 100).encode()
    server.call.send(raw[:50])
    client.until(raw[2:50])
    assert client.stays_silent(2.5)
    server.call.send(raw[50:])
    client.until(raw[50:])


def test_bytes_of_a_socket_are_never_taken_for_requests_9110_7_8(
    client: Client, server: Server, origin: Script
) -> None:
    opened(client)
    smuggled = get(b"/smuggled")
    client.send(smuggled)
    assert server.stream.exactly(len(smuggled)) == smuggled
    assert len(origin.requests) == 1


def test_a_101_with_another_protocol_than_asked_for_is_502_9110_7_8(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n")
    answer = client.ask(handshake())
    assert (answer.status, answer.error is not None) == (502, True)


NO_HANDSHAKE = {
    "POST": handshake().replace(b"GET", b"POST"),
    "HTTP/1.0": handshake().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no Connection": handshake().replace(b"Connection: Upgrade\r\n", b""),
    "another protocol": handshake().replace(b"Upgrade: websocket", b"Upgrade: foo/1, bar"),
    "no Upgrade": handshake().replace(b"Upgrade: websocket\r\n", b""),
    "h2c": get(b"/ws", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAARAAAAA"),
    "h2c, not named": get(b"/ws", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAA"),
    "TLS": get(b"/ws", b"Upgrade: TLS/1.0", b"Connection: upgrade"),
    "a body": handshake(b"/ws", b"Content-Length: %d" % len(get())) + get(),
}


@pytest.mark.parametrize(("name", "raw"), NO_HANDSHAKE.items(), ids=NO_HANDSHAKE)
def test_what_is_no_handshake_is_forwarded_without_an_upgrade_S3(
    client: Client, origin: Script, name: str, raw: bytes
) -> None:
    client.send(raw)
    status = client.answer(version=b"1.0" if b"HTTP/1.0" in raw else b"1.1").status
    assert status == 200 if b"Sec-WebSocket" not in raw else status in (200, 400, 426)
    for request in origin.requests:
        assert request.target == b"/ws"
        assert not request.all(b"http2-settings")
        assert not request.all(b"upgrade") or name == "a body"
