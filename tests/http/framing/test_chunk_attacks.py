"""F7: chunks that are none (RFC 9112 §7.1); their variants are in the unit tests of the decoder."""

import itertools

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunk, message
from tests.http.origin import Call, Script
from tests.http.verdicts import SMUGGLED

NUMBER = itertools.count()


def head() -> bytes:
    """A head with a target that no other test uses: an aborted request may reach the upstream late."""
    return message(b"POST /first-%d HTTP/1.1" % next(NUMBER), HOST, b"Transfer-Encoding: chunked")


REST = b"\r\nhello\r\n0\r\n\r\n"
BAD = {
    "no hexadecimal size": b"0x5" + REST,
    "a bare line feed behind the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare line feed behind the data": b"5\r\nhello\n0\r\n\r\n",
    "other bytes behind the data": b"5\r\nhelloXX0\r\n\r\n",
    "more data than its size": b"5\r\nhello!\r\n0\r\n\r\n",
    "less data than its size": b"5\r\nhell\r\n0\r\n\r\n",
    "a line feed in an extension": b"5;a\nb" + REST,
    "a size beyond every bound": b"F" * 17 + REST,
    "a size that never ends": b"0" * 100_000,
    "another request": b"GET / HTTP/1.1\r\n\r\n",
    "a bare line feed at the end": b"5\r\nhello\r\n0\r\nX: y\n\r\n",
    "one huge extension": b"5;" + b"e" * 1_000_000 + REST,
    "many extensions": (b"1;" + b"e" * 200 + b"\r\nx\r\n") * 5_000 + b"0\r\n\r\n",
    "a folded trailer": b"5\r\nhello\r\n0\r\nX: 1\r\n folded\r\n\r\n",
    "a trailer that is no field": b"5\r\nhello\r\n0\r\nbad line\r\n\r\n",
    "a NUL in a trailer": b"5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n",
    "endless trailers": b"5\r\nhello\r\n0\r\n" + b"X-A: %s\r\n" % (b"v" * 300) * 5_000,
}


def never_completed(client: Client, origin: Script) -> None:
    """The client gets a 400 and the close; of what came before at most an unfinished request reached the upstream."""
    assert client.answer().status in (400, 431)
    assert client.ends()
    origin.wait_for(lambda: len(origin.cut) == len(origin.requests))
    assert len({request.target for request in origin.requests}) == len(origin.requests), "sent twice"
    assert all(request.target.startswith(b"/first-") for request in origin.requests)
    assert all(request.body is None for request in origin.requests), "a faulty request was completed"


@pytest.mark.parametrize("behind_a_good_one", [False, True])
@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_a_malformed_chunk_is_400_and_never_completed_9112_7_1(
    client: Client, origin: Script, body: bytes, behind_a_good_one: bool
) -> None:
    start = head()
    if behind_a_good_one:
        client.send(start + b"3\r\nabc\r\n")
        assert origin.saw(1)
        start = b""
    client.send_if_open(start + body + SMUGGLED)
    never_completed(client, origin)


@pytest.mark.parametrize("body", [b"0x5" + REST, b"5\r\nhello\r\n0\n", b"0\r\nX: y\n", b"5;" + b"x" * 20_000 + REST])
def test_a_malformed_chunk_in_single_bytes_is_400_9112_7_1(client: Client, origin: Script, body: bytes) -> None:
    client.send(head())
    for byte in body:
        client.send_if_open(bytes([byte]))
    never_completed(client, origin)


@pytest.mark.parametrize(
    ("encoded", "body"),
    [(b"5;secret=1\r\nhello\r\n0;last\r\n\r\n", b"hello"), (b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n", b"x" * 50_000)],
    ids=["with extensions, which are dropped", "many and small"],
)
def test_good_chunks_pass_9112_7_1(client: Client, origin: Script, encoded: bytes, body: bytes) -> None:
    client.send(head() + encoded)
    assert client.answer().status == 200
    assert origin.only.body == body


def test_a_malformed_chunk_after_the_answer_began_cuts_the_answer_9112_8(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + chunk(b"part"))
        assert call.stream.rest().endswith(b"abc\r\n")
        call.close()

    origin.answers(handle)
    client.send(head() + b"3\r\nabc\r\n")
    assert client.head().status == 200
    client.until(b"part\r\n")
    client.send_if_open(b"garbage\r\n" + SMUGGLED)
    assert client.ends()
    assert len(origin.requests) == 1
