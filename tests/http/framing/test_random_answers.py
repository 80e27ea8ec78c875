"""Bad input from behind: whatever an upstream answers, a client gets what h11 reads in it, or an error, or a cut."""

import contextlib
import random
import re
from dataclasses import dataclass, field

import h11
import pytest

from tests.http.gateway_process import GatewayProcess
from tests.http.message import Answer, Truncated, get, message, ok, ok_chunked
from tests.http.origin import Script
from tests.http.stream import Closed

ANSWERS = [
    ok(b"X-A: 1", body=b"hello"),
    ok_chunked(b"hel", b"lo", lines=(b"X-A: 1",), trailers=(b"X-T: 1",)),
    b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + ok(body=b"hello"),
    message(b"HTTP/1.1 204 No Content", b"X-A: 1"),
    message(b"HTTP/1.1 200 OK", b"X-A: 1", body=b"up to the close"),
    message(b"HTTP/1.0 200 OK", b"Content-Length: 5", body=b"hello"),
    message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"),
]
LINES = [
    b"Content-Length: 5\r\n", b"Content-Length: 4\r\n", b"Content-Length: +5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Connection: close\r\n", b"Connection: content-length\r\n", b" folded\r\n",
    b"X\r\n", b"Upgrade: h2c\r\n", b"\r\n", b"\n", b"0\r\n\r\n", b"5\r\n",
]  # fmt: skip


def mutated(source: random.Random) -> bytes:
    """An answer with some bytes changed, a line added, cut, or doubled."""
    raw = source.choice(ANSWERS)
    for _ in range(source.choice([0, 1, 1, 2, 3])):
        at = source.randrange(len(raw) + 1)
        kind = source.randrange(5)
        if kind == 0:
            raw = raw[:at] + bytes([source.randrange(256)]) + raw[at + 1 :]
        elif kind == 1:
            end = raw.find(b"\r\n", at) + 2
            raw = raw[:end] + source.choice(LINES) + raw[end:]
        elif kind == 2:
            raw = raw[:at] or b"H"
        elif kind == 3:
            raw = raw[:at] + source.choice([b"\r", b"\n", b"\0", b" ", b"\r\n"]) + raw[at:]
        else:
            raw += source.choice(ANSWERS)
    return raw


@dataclass
class Reading:
    """The first final answer as h11 reads it; `complete`: its end was reached."""

    status: int = 0
    body: bytes = b""
    complete: bool = False
    fields: dict[bytes, bytes] = field(default_factory=dict)


_TRAILERS = re.compile(rb"(?<=\n)0\r\n(?:[A-Za-z-]+: [^\r\n]*\r\n)+(?=\r\n)")
"""h11 takes a framing field among the trailers for a fault; the gateway drops it."""
_SPACED = re.compile(rb"(?<=\n)([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+:")
"""h11 takes spaces before a colon for a fault; the gateway removes them (RFC 9112 §5.1)."""


def reading_of_h11(raw: bytes) -> Reading:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(_SPACED.sub(rb"\1:", raw))
    client.receive_data(b"")
    reading = Reading()
    with contextlib.suppress(h11.RemoteProtocolError):
        while not reading.complete:
            event = client.next_event()
            if isinstance(event, h11.Response):
                reading.status, reading.fields = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                reading.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                reading.complete = True
            elif isinstance(event, h11.ConnectionClosed) or event in (h11.NEED_DATA, h11.PAUSED):
                break
    return reading


def answer_or_cut(gateway: GatewayProcess, target: bytes) -> tuple[Answer | None, bool]:
    """The answer, and whether it was complete."""
    client = gateway.connect()
    try:
        return client.ask(get(target)), True
    except Truncated as cut:
        return cut.head, False
    except Closed:
        return None, False
    finally:
        gateway.hang_up()


@pytest.mark.parametrize("seed", range(10))
def test_a_client_gets_what_h11_reads_or_an_error_and_the_next_its_own(
    gateway: GatewayProcess, origin: Script, seed: int
) -> None:
    source = random.Random(seed)
    for turn in range(40):
        raw, target = mutated(source), b"/%d-%d" % (seed, turn)
        origin.answers(raw, close=True)
        answer, complete = answer_or_cut(gateway, target)
        expected = reading_of_h11(raw)
        if answer is not None and answer.error is None and complete:
            assert (answer.status, answer.body) == (expected.status, expected.body), f"sent {raw!r}"
            assert expected.complete or _TRAILERS.search(raw), f"a cut answer was completed: {raw!r}"
        origin.answers(ok(body=target))
        assert gateway.connect().ask(get(target + b"/next")).body == target, f"after {raw!r}"
