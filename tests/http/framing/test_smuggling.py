"""Differential: the upstream never sees another row of requests than h11 reads in what the client sent."""

import contextlib
import random
from dataclasses import dataclass

import h11
import pytest

from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, message
from tests.http.origin import Script

LINES = [
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 05", b"Content-Length: 5, 5", b"Content-Length: +5",
    b"Content-Length:5", b"content-length : 5", b"Transfer-Encoding: chunked", b"transfer-encoding:chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: xchunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding:\x0bchunked",
    b"X: 1\nTransfer-Encoding: chunked", b"X: 1\r\n chunked", b"Connection: close", 
    b"Connection: content-length", b"Connection: transfer-encoding", b"Expect: 100-continue", b"X: y", b"X:",
    b"Upgrade: h2c", b"TE: trailers", b"Trailer: X", b"Host: b",
]  # fmt: skip
BODIES = [
    b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"05\r\nhello\r\n00\r\n\r\n", b"5\nhello\n0\n\n",
    chunk(b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n") + b"0\r\n\r\n", b"GET /z HTTP/1.1\r\nHost: a\r\n\r\n",
]  # fmt: skip
STARTS = [b"%b HTTP/1.1" % start for start in (b"GET /a", b"POST /b", b"HEAD /c", b"DELETE /e", b"OPTIONS /f")]
STARTS.append(b"PUT /d HTTP/1.0")
END = message(b"GET /end HTTP/1.1", HOST, b"Connection: close")
QUIET_S = 0.03


def one(source: random.Random) -> bytes:
    """A request, more or less."""
    lines = [HOST, *source.sample(LINES, source.choice([0, 1, 1, 2, 2, 3]))]
    source.shuffle(lines)
    raw = b"\r\n".join([source.choice(STARTS), *lines, b"", b""]) + source.choice(BODIES)
    if source.random() < 0.2:
        at = source.randrange(len(raw))
        odd = source.choice([b"\r", b"\n", b" ", b"\0", b"\t", b"\r\n", b""])
        raw = raw[:at] + odd + raw[at + source.randrange(2) :]
    return raw


@dataclass
class Reading:
    """A request as one reader takes it; `body` is None where its end was not reached."""

    method: bytes
    target: bytes
    body: bytes | None = None


def reading_of_h11(raw: bytes) -> list[Reading]:
    """The requests that h11 finds, up to where it refuses to go on; an empty line before each is let pass."""
    row: list[Reading] = []
    rest: bytes | None = raw
    while rest:
        rest = _read_one(rest.removeprefix(b"\r\n"), row)
    return row


def _read_one(raw: bytes, row: list[Reading]) -> bytes | None:
    """Adds the request to the row; the bytes behind it, None where none are to be read."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(raw)
    server.receive_data(b"")
    body = b""
    with contextlib.suppress(h11.RemoteProtocolError):
        while (event := server.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Request):
                row.append(Reading(event.method, event.target))
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                row[-1].body = body
                return None if server.their_state is h11.MUST_CLOSE else server.trailing_data[0]
            else:
                return None
    return None


def reading_of_upstream(gateway: GatewayProcess, origin: Script, raw: bytes) -> list[Reading]:
    """The requests that arrive behind the gateway, until it closes or has nothing more to say."""
    seen = len(origin.requests)
    client = gateway.connect()
    client.send_if_open(raw)
    client.socket.settimeout(QUIET_S)
    with contextlib.suppress(TimeoutError):
        client.rest()
    gateway.hang_up()
    return [Reading(r.method, r.target, r.body) for r in origin.requests[seen:]]


@pytest.mark.parametrize("seed", range(10))
def test_the_upstream_sees_the_requests_that_h11_sees_and_no_other_9112_11_2(
    gateway: GatewayProcess, origin: Script, seed: int
) -> None:
    source = random.Random(seed)
    for turn in range(40):
        tag = b"/%d-%d/" % (seed, turn)
        raw = (b"".join(one(source) for _ in range(source.randrange(1, 4))) + END).replace(b" /", b" " + tag)
        seen = [reading for reading in reading_of_upstream(gateway, origin, raw) if reading.target.startswith(tag)]
        expected = reading_of_h11(raw)
        assert len(seen) <= len(expected), f"sent {raw!r}, seen {seen}"
        for ours, theirs in zip(seen, expected, strict=False):
            assert (ours.method, ours.target) == (theirs.method, theirs.target), f"sent {raw!r}"
            assert ours.body in (None, theirs.body), f"sent {raw!r}"
