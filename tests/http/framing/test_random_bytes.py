"""Bad input: 10,000 random byte strings; the process survives, answers 4xx or closes, and logs no error."""

import random

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message
from tests.http.origin import Script

COUNT = 10_000
PIECES = [
    b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"\n", b"\r", b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n",
    b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b" ", b"\0", b":", b"HTTP/1.1",
    b"http://a/", b"*", b"\xff\xfe", b"X: y\r\n", b"OPTIONS ", b"HEAD ", b"CONNECT a:1 HTTP/1.1\r\n",
    b"TE: trailers\r\n", b"Connection: Upgrade\r\n", b"HTTP/1.0\r\n", b"Via: 1.1 x\r\n", b"Max-Forwards: 0\r\n", b"?",
    b"#", b"%", b"hello",
]  # fmt: skip


def noise(source: random.Random) -> bytes:
    """Pure noise, shuffled pieces of HTTP, or a valid request with some bytes changed."""
    kind = source.randrange(3)
    if kind == 0:
        return source.randbytes(source.randrange(1, 300))
    if kind == 1:
        return b"".join(source.choices(PIECES, k=source.randrange(1, 12)))
    raw = bytearray(message(b"POST /a?b HTTP/1.1", HOST, b"Content-Length: 5", b"X-A: b", body=b"hello") + get())
    for _ in range(source.randrange(1, 6)):
        raw[source.randrange(len(raw))] = source.randrange(256)
    return bytes(raw)


def verdict(client: Client, raw: bytes) -> bytes:
    client.send_if_open(raw)
    client.finish()
    return client.rest()


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_are_answered_or_closed_and_do_no_harm(gateway: GatewayProcess, origin: Script, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(COUNT // 10):
        raw = noise(source)
        client = gateway.connect()
        seen = verdict(client, raw)
        assert not seen or seen.startswith(b"HTTP/1.1 "), raw
        assert b"HTTP/1.1 5" not in seen[:10] or seen[9:12] in (b"501", b"505", b"502"), raw
        gateway.hang_up()
    assert gateway.connect().ask(get()).status == 200
