"""S2: WebSocket (RFC 6455, RFC 9110 §7.8)."""

import threading
from collections.abc import Callable

import pytest

from tests.http import frames
from tests.http.client import Client
from tests.http.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import Answer, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

Leave = Callable[[Client], None]


class Server:
    """A WebSocket upstream: accepts, then hands its end of the socket to the test."""

    def __init__(self, *lines: bytes, after: bytes = b"") -> None:
        self.answer = accepted(*lines) + after
        self.ready = threading.Event()
        self.done = threading.Event()
        self.call: Call

    def __call__(self, call: Call) -> None:
        self.call = call
        call.send(self.answer)
        self.ready.set()
        self.done.wait(DEADLINE_S)
        call.close()

    @property
    def stream(self) -> "Call":
        assert self.ready.wait(DEADLINE_S)
        return self.call


@pytest.fixture
def server(origin: Script) -> "Server":
    server = Server()
    origin.answers(server)
    return server


def opened(client: Client, raw: bytes = handshake()) -> Answer:
    answer = client.ask(raw)
    assert answer.status == 101, answer.raw + answer.body
    return answer


def test_the_handshake_passes_end_to_end_6455_4(client: Client, server: Server, origin: Script) -> None:
    answer = opened(client)
    assert answer.get(b"sec-websocket-accept") == frames.ACCEPT
    assert (answer.get(b"upgrade") or b"").lower() == b"websocket"
    assert b"upgrade" in answer.options()
    request = origin.only
    assert request.get(b"sec-websocket-key") == frames.KEY
    assert request.get(b"sec-websocket-version") == b"13"
    assert (request.get(b"upgrade") or b"").lower() == b"websocket"
    assert b"upgrade" in request.options()
    server.done.set()


@pytest.mark.parametrize(
    "lines",
    [
        [b"connection: keep-alive, upgrade"],
        [b"Connection: keep-alive", b"Connection: UPGRADE"],
        [b"Connection: ", b"Connection: Upgrade"],
    ],
)
@pytest.mark.parametrize("upgrade", [b"Upgrade: websocket", b"upgrade: WebSocket", b"UPGRADE: WEBSOCKET"])
def test_the_handshake_is_known_in_every_spelling_6455_4_2_1(
    client: Client, server: Server, lines: list[bytes], upgrade: bytes
) -> None:
    raw = message(
        b"GET /ws HTTP/1.1",
        b"Host: a",
        upgrade,
        *lines,
        b"Sec-WebSocket-Key: " + frames.KEY,
        b"Sec-WebSocket-Version: 13",
    )
    opened(client, raw)
    server.done.set()


def test_subprotocol_and_extensions_are_the_upstreams_to_choose_6455_1_9(client: Client, origin: Script) -> None:
    server = Server(b"Sec-WebSocket-Protocol: chat.v2", b"Sec-WebSocket-Extensions: permessage-deflate")
    origin.answers(server)
    lines = [
        b"Sec-WebSocket-Protocol: chat.v1, chat.v2",
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        b"Origin: https://shop.example",
        b"Cookie: a=b",
        b"Authorization: Bearer x",
    ]
    answer = opened(client, handshake(b"/ws?x=1", *lines))
    assert answer.get(b"sec-websocket-protocol") == b"chat.v2"
    assert answer.get(b"sec-websocket-extensions") == b"permessage-deflate"
    assert [line for line in lines if tuple(line.split(b": ", 1)) not in origin.only.fields] == []
    assert origin.only.target == b"/ws?x=1"
    server.done.set()


def test_without_subprotocol_and_extensions_none_is_made_up_6455_4_2_2(
    client: Client, server: Server, origin: Script
) -> None:
    answer = opened(client)
    for head in (answer, origin.only):
        assert not head.all(b"sec-websocket-protocol")
        assert not head.all(b"sec-websocket-extensions")
    server.done.set()


SENT = [
    Frame(TEXT, b"hello"), Frame(TEXT, "grüße".encode()), Frame(BINARY, bytes(range(256))), Frame(TEXT, b""),
    Frame(BINARY, b"x" * 125), Frame(BINARY, b"x" * 126), Frame(BINARY, b"x" * 65_535), Frame(BINARY, b"x" * 65_536),
    Frame(BINARY, b"x" * 1_000_000), Frame(PING, b"are you there"), Frame(PONG, b""), Frame(PING, b""),
]  # fmt: skip


@pytest.mark.parametrize("frame", SENT, ids=lambda frame: f"{frame.opcode}-{len(frame.payload)}")
def test_a_frame_passes_both_ways_unchanged_6455_5(client: Client, server: Server, frame: Frame) -> None:
    opened(client)
    masked = Frame(frame.opcode, frame.payload, frame.final, masked=True)
    client.send(masked.encode())
    assert read_frame(server.stream.stream) == masked
    server.call.send(frame.encode())
    assert read_frame(client) == frame
    server.done.set()


def test_fragments_and_control_frames_between_them_pass_in_order_6455_5_4(client: Client, server: Server) -> None:
    opened(client)
    row = [
        Frame(TEXT, b"a", final=False),
        Frame(PING, b"p"),
        Frame(CONTINUATION, b"b", final=False),
        Frame(CONTINUATION, b""),
    ]
    server.stream.send(b"".join(frame.encode() for frame in row))
    assert [read_frame(client) for _ in row] == row
    server.done.set()


def test_compressed_frames_pass_unchanged_7692_6(client: Client, server: Server) -> None:
    opened(client)
    raw = bytes([0xC1, 3]) + b"\x00\x01\x02"
    server.stream.send(raw)
    assert client.exactly(len(raw)) == raw
    server.done.set()


def test_a_frame_behind_the_handshake_in_the_same_segment_arrives_6455_4_2_2(client: Client, origin: Script) -> None:
    server = Server(after=Frame(TEXT, b"first").encode())
    origin.answers(server)
    opened(client)
    assert read_frame(client).payload == b"first"
    server.done.set()


def test_a_frame_of_an_eager_client_arrives_6455_4_1(client: Client, server: Server) -> None:
    client.send(handshake() + Frame(TEXT, b"eager", masked=True).encode())
    assert client.answer().status == 101
    assert read_frame(server.stream.stream).payload == b"eager"
    server.done.set()


def test_a_conversation_of_many_frames_keeps_its_order_6455_5(client: Client, server: Server) -> None:
    opened(client)
    for n in range(200):
        client.send(Frame(TEXT, b"%d" % n, masked=True).encode())
        assert read_frame(server.stream.stream).payload == b"%d" % n
        server.call.send(Frame(TEXT, b"re %d" % n).encode())
        assert read_frame(client).payload == b"re %d" % n
    server.done.set()


CODES = [
    (1000, b"bye"),
    (1001, b""),
    (1002, b"protocol"),
    (1003, b""),
    (1007, b""),
    (1008, b"policy"),
    (1009, b""),
    (1011, b"oops"),
    (3000, b""),
    (4999, "schluß".encode()),
]


@pytest.mark.parametrize(("code", "reason"), CODES)
def test_a_close_of_the_client_passes_with_code_and_reason_6455_7_1(
    client: Client, server: Server, code: int, reason: bytes
) -> None:
    opened(client)
    client.send(frames.close(code, reason, masked=True).encode())
    assert read_frame(server.stream.stream) == frames.close(code, reason, masked=True)
    server.call.send(frames.close(code).encode())
    server.done.set()
    assert read_frame(client) == frames.close(code)
    assert client.ends()


@pytest.mark.parametrize(("code", "reason"), CODES)
def test_a_close_of_the_upstream_passes_with_code_and_reason_6455_7_1(
    client: Client, server: Server, code: int, reason: bytes
) -> None:
    opened(client)
    server.stream.send(frames.close(code, reason).encode())
    assert read_frame(client) == frames.close(code, reason)
    client.send(frames.close(code, masked=True).encode())
    assert read_frame(server.call.stream) == frames.close(code, masked=True)
    server.done.set()
    assert client.ends()


def test_a_close_without_a_code_stays_without_one_6455_7_4_1(client: Client, server: Server) -> None:
    opened(client)
    server.stream.send(Frame(CLOSE).encode())
    assert read_frame(client) == Frame(CLOSE)
    server.done.set()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_upstream_that_drops_the_line_drops_the_clients_6455_7_1_5(client: Client, server: Server, how: str) -> None:
    opened(client)
    getattr(server.stream, how)()
    rest = client.rest()
    assert rest == b"" or rest[:1] == b"\x88"
    assert b"\x03\xee" not in rest, "1006 is never sent"
    assert b"\x03\xed" not in rest, "1005 is never sent"
    server.done.set()


@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["close", "reset"])
def test_a_client_that_leaves_ends_the_upstreams_socket_C2(client: Client, server: Server, leave: Leave) -> None:
    opened(client)
    stream = server.stream.stream
    leave(client)
    assert stream.rest()[:1] in (b"", b"\x88")
    server.done.set()


REFUSALS = [
    b"400 Bad",
    b"401 No",
    b"403 No",
    b"404 No",
    b"426 Upgrade Required",
    b"429 Slow",
    b"500 Oops",
    b"503 Busy",
    b"302 Found",
    b"200 OK",
]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_of_the_upstream_passes_with_status_fields_and_body_6455_4_2_2(
    client: Client, origin: Script, status: bytes
) -> None:
    origin.answers(
        ok(b"X-Why: no seat", b"Content-Type: text/plain", b"Set-Cookie: a=b", body=b"refused", status=status)
    )
    answer = client.ask(handshake())
    assert (answer.status, answer.body, answer.error) == (int(status[:3]), b"refused", None)
    assert answer.get(b"x-why") == b"no seat"
    assert answer.get(b"set-cookie") == b"a=b"


def test_after_a_refusal_the_connection_goes_on_9110_7_8(client: Client, origin: Script) -> None:
    origin.answers(ok(status=b"403 No"))
    assert client.ask(handshake()).status == 403
    origin.answers(ok())
    assert client.ask(get()).status == 200


def test_an_upstream_that_knows_no_websocket_answers_as_usual_9110_7_8(client: Client, origin: Script) -> None:
    origin.answers(ok(body=b"plain"))
    assert client.ask(handshake()).body == b"plain"


@pytest.mark.parametrize(("target", "status"), [(b"/refusing/ws", 502), (b"/members/ws", 401), (b"/strict/..", 400)])
def test_the_gateways_own_refusal_comes_before_any_101_S2(
    client: Client, origin: Script, target: bytes, status: int
) -> None:
    answer = client.ask(handshake(target))
    assert (answer.status, answer.error is not None) == (status, True)
    assert not origin.requests


def test_a_rate_limit_refuses_before_any_101_S2(client: Client, origin: Script) -> None:
    client.ask(get(b"/limited/a"))
    seen = len(origin.requests)
    assert client.ask(handshake(b"/limited/ws")).status == 429
    assert len(origin.requests) == seen


def test_a_slow_socket_is_not_buffered_without_bound_C7(gateway: GatewayProcess, server: Server) -> None:
    client = gateway.connect(receive_buffer=65536)
    opened(client)
    stream = server.stream.stream
    stream.socket.settimeout(0.5)
    frame, sent = Frame(BINARY, b"x" * 65_000).encode(), 0
    try:
        while sent < 100_000_000:
            sent += stream.socket.send(frame)
    except TimeoutError:
        pass
    server.done.set()
    assert sent < 40_000_000


def test_a_slow_upstream_of_a_socket_is_not_written_to_without_bound_C7(client: Client, server: Server) -> None:
    opened(client)
    assert server.stream.stream.stays_silent(0.01)
    client.socket.settimeout(0.5)
    frame, sent = Frame(BINARY, b"x" * 65_000, masked=True).encode(), 0
    try:
        while sent < 100_000_000:
            sent += client.socket.send(frame)
    except TimeoutError:
        pass
    server.done.set()
    assert sent < 40_000_000


def test_an_idle_socket_lives_longer_than_the_idle_time_of_the_service_C4(client: Client, server: Server) -> None:
    opened(client, handshake(b"/quick/ws"))
    threading.Event().wait(2.0)
    client.send(Frame(TEXT, b"still here", masked=True).encode())
    assert read_frame(server.stream.stream).payload == b"still here"
    server.done.set()


def test_an_idle_socket_is_pinged_where_the_service_says_so_6455_5_5_2(client: Client, server: Server) -> None:
    opened(client, handshake(b"/pinging/ws"))
    assert read_frame(client).opcode == PING
    client.send(Frame(TEXT, b"still here", masked=True).encode())
    while (frame := read_frame(server.stream.stream)).opcode in (PING, PONG):
        pass
    assert frame.payload == b"still here"
    server.done.set()


def test_no_ping_is_put_into_the_middle_of_a_frame_6455_5_4(client: Client, server: Server) -> None:
    opened(client, handshake(b"/pinging/ws"))
    raw = Frame(BINARY, b"x" * 100).encode()
    server.stream.send(raw[:50])
    client.until(raw[2:50])
    assert client.stays_silent(2.5)
    server.call.send(raw[50:])
    client.until(raw[50:])
    server.done.set()


def test_bytes_of_a_socket_are_never_taken_for_requests_9110_7_8(
    client: Client, server: Server, origin: Script
) -> None:
    opened(client)
    smuggled = get(b"/smuggled")
    client.send(smuggled)
    assert server.stream.stream.exactly(len(smuggled)) == smuggled
    assert len(origin.requests) == 1
    server.done.set()


def test_a_101_with_another_protocol_than_asked_for_is_502_9110_7_8(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n")
    answer = client.ask(handshake())
    assert (answer.status, answer.error is not None) == (502, True)


@pytest.mark.parametrize(
    "raw",
    [
        handshake().replace(b"GET", b"POST"),
        handshake().replace(b"HTTP/1.1", b"HTTP/1.0"),
        handshake().replace(b"Connection: Upgrade\r\n", b""),
        handshake().replace(b"Upgrade: websocket", b"Upgrade: foo"),
        handshake().replace(b"Upgrade: websocket\r\n", b""),
    ],
    ids=["POST", "HTTP/1.0", "no Connection", "another protocol", "no Upgrade"],
)
def test_what_is_no_handshake_is_forwarded_without_an_upgrade_9110_7_8(
    client: Client, origin: Script, raw: bytes
) -> None:
    client.send(raw)
    assert client.answer(version=b"1.0" if b"HTTP/1.0" in raw else b"1.1").status in (200, 400, 426)
    assert all(not request.all(b"upgrade") for request in origin.requests)


def test_a_handshake_with_a_body_is_no_tunnel_9110_7_8(client: Client, origin: Script) -> None:
    body = get(b"/smuggled")
    client.send(handshake(b"/ws", b"Content-Length: %d" % len(body)) + body)
    assert client.answer().status in (200, 400)
    assert all(request.target == b"/ws" for request in origin.requests)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAARAAAAA"],
        [b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAA"],
        [b"Upgrade: TLS/1.0", b"Connection: upgrade"],
        [b"Upgrade: foo/1, bar", b"Connection: Upgrade"],
    ],
)
def test_another_upgrade_is_ignored_S3(client: Client, origin: Script, lines: list[bytes]) -> None:
    assert client.ask(get(b"/", *lines)).status == 200
    assert not origin.only.all(b"upgrade")
    assert not origin.only.all(b"http2-settings")


def test_the_http_2_preface_is_refused_9113_3_4(client: Client, origin: Script) -> None:
    client.send_if_open(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert client.answer().status in (400, 505)
    assert client.ends()
    assert not origin.requests
