"""However the bytes of both sides are cut into segments, the outcome is the same (RFC 9112 §2.2)."""

import random
import re
import socket
from dataclasses import dataclass

import pytest

from tests.http.frames import TEXT, Frame, accepted, handshake
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, chunked, get, message, ok, ok_chunked, post, post_chunked
from tests.http.origin import Call, Script
from tests.http.stream import Stream

CHUNKED = message(b"POST /small/a HTTP/1.1", HOST, b"Transfer-Encoding: chunked", b"Connection: close")
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
LAST = get(b"/last", b"Connection: close")


@dataclass(frozen=True)
class Scene:
    """What the client sends and the upstream answers, and the statuses that the client sees in either case."""

    sent: bytes
    answer: bytes
    statuses: list[int]


SCENES = {
    "get": Scene(LAST, ok(), [200]),
    "counted post": Scene(post(body=b"x" * 300) + LAST, ok(), [200, 200]),
    "chunked post with trailers": Scene(post_chunked(b"a" * 200, b"b", trailers=(b"X-T: 1",)) + LAST, ok(), [200, 200]),
    "pipelined": Scene(get(b"/1") + post(b"/2") + post_chunked(b"c") + get(b"/3") + LAST, ok(), [200] * 5),
    "pipelined garbage": Scene(get(b"/1") + b"garbage\r\n\r\n", ok(), [200, 400]),
    "a chunk that is none": Scene(CHUNKED + b"5\r\nhello\r\nXX\r\n\r\n", ok(), [400]),
    "a body over the limit": Scene(CHUNKED + chunk(b"x" * 600) * 2 + b"0\r\n\r\n", ok(), [413]),
    "a counted body over the limit": Scene(post(b"/small/a", b"Connection: close", body=b"x" * 1001), ok(), [413]),
    "no route to the upstream": Scene(post(b"/refusing/a", b"Connection: close", body=b"x" * 1001), ok(), [502]),
    "refused by the gateway": Scene(post(b"/members/a", b"Connection: close", body=b"x" * 1001), ok(), [401]),
    "two hosts": Scene(message(b"GET / HTTP/1.1", HOST, HOST), ok(), [400]),
    "chunked answer": Scene(get() + LAST, ok_chunked(b"x" * 300, b"y", trailers=(b"X-T: 1",)), [200, 200]),
    "interim answers": Scene(get() + LAST, HINT * 3 + ok(), [103, 103, 103, 200] * 2),
    "no content": Scene(get() + LAST, b"HTTP/1.1 204 No Content\r\n\r\n", [204, 204]),
    "a malformed answer": Scene(LAST, ok(b"bad line"), [502]),
    "a stray answer": Scene(get() + LAST, ok() + ok(status=b"299 Stray"), [200, 200]),
    "a header that is too large": Scene(LAST, ok(b"X: " + b"v" * 70_000), [502]),
    "websocket": Scene(handshake(), accepted() + Frame(TEXT, b"hello").encode(), [101]),
    "http 1.0": Scene(message(b"GET / HTTP/1.0", HOST), ok_chunked(b"x" * 300), [200]),
    "a body of one refused": Scene(CHUNKED.replace(b"/small/a", b"/strict/..") + chunked(b"x" * 300), ok(), [400]),
}  # fmt: skip


def pieces(raw: bytes, how: str, source: random.Random) -> list[bytes]:
    """The bytes, whole, in two, at random places, or (of short ones) one by one."""
    if how == "whole":
        return [raw]
    if how == "bytes" and len(raw) < 2000:
        return [raw[i : i + 1] for i in range(len(raw))]
    cuts = sorted(source.sample(range(1, len(raw)), 1 if how == "two" else min(12, len(raw) - 1)))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


def send_in_pieces(stream: Stream, raw: bytes, how: str, source: random.Random) -> None:
    """Each piece is a segment of its own; another process may run between two of them."""
    for piece in pieces(raw, how, source):
        stream.send_if_open(piece)


def statuses(raw: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", raw)]


WAYS = ("whole", "two", "random", "bytes")
# Stray bytes that come after the connection was given to the next request are that request's answer: nobody can tell.
CASES = [(name, how) for name in SCENES for how in WAYS if (name, how == "whole") != ("a stray answer", False)]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_the_outcome_does_not_depend_on_the_segments_9112_2_2(
    gateway: GatewayProcess, origin: Script, name: str, how: str
) -> None:
    scene, source = SCENES[name], random.Random(name + how)

    def handle(call: Call) -> None:
        call.stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        call.body()
        send_in_pieces(call.stream, scene.answer, how, source)
        if name in ("websocket", "a malformed answer", "a header that is too large"):
            call.end()

    origin.answers(handle)
    for _ in range(1 if how == "whole" else 3):
        client = gateway.connect()
        send_in_pieces(client, scene.sent, how, source)
        seen = client.rest()
        assert statuses(seen) == scene.statuses, seen
        client.close()
