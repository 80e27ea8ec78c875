"""F7: chunks that are none (RFC 9112 §7.1)."""

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


BAD = [
    b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5\rhello\r\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\r\r0\r\n\r\n", b"5\r\nhello\n\n0\r\n\r\n",
    b"5\r\nhello\r\nX\r\n\r\n", b"5\r\nhello \r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n", b"5h\r\nhello\r\n0\r\n\r\n",
    b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n", b"5,\r\nhello\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n",
    b"5;a=\"b\n\"\r\nhello\r\n0\r\n\r\n", b"5;a=\"b\r\n\"\r\nhello\r\n0\r\n\r\n", b"5;\n\r\nhello\r\n0\r\n\r\n",
    b"5\n;\r\nhello\r\n0\r\n\r\n", b";a\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\nhello",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"00000000000000000000000000000000000000000000g\r\n",
    b"5.0\r\nhello\r\n0\r\n\r\n", b"5\x0b\r\nhello\r\n0\r\n\r\n", b"\x0b5\r\nhello\r\n0\r\n\r\n",
    b"garbage that is no chunk at all\r\n\r\n", b"hello", b"GET / HTTP/1.1\r\n\r\n", b"-0\r\n\r\n", b"+0\r\n\r\n",
    b"0x0\r\n\r\n", b"0 0\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\n\r\n", b"5\r\nhello\r\n0\r\n\r\r",
    b"5\r\nhello\r\n0\rX\r\n\r\n",
]  # fmt: skip


def never_completed(client: Client, origin: Script) -> None:
    """The client gets a 400 and the close; of what came before at most an unfinished request reached the upstream."""
    assert client.answer().status == 400
    assert client.ends()
    origin.wait_for(lambda: len(origin.cut) == len(origin.requests))
    assert len({request.target for request in origin.requests}) == len(origin.requests), "sent twice"
    assert all(request.target.startswith(b"/first-") for request in origin.requests)
    assert all(request.body is None for request in origin.requests), "a faulty request was completed"


@pytest.mark.parametrize("body", BAD)
def test_a_malformed_chunk_is_400_and_never_completed_9112_7_1(client: Client, origin: Script, body: bytes) -> None:
    client.send_if_open(head() + body + SMUGGLED)
    never_completed(client, origin)


@pytest.mark.parametrize("body", BAD[:20])
def test_a_malformed_chunk_behind_a_good_one_is_400_and_never_completed_9112_7_1(
    client: Client, origin: Script, body: bytes
) -> None:
    client.send(head() + b"3\r\nabc\r\n")
    assert origin.saw(1)
    client.send_if_open(body + SMUGGLED)
    never_completed(client, origin)


@pytest.mark.parametrize(
    "body", [BAD[0], BAD[5], BAD[25], b"0\r\nX: y\n", b"5;" + b"x" * 20_000 + b"\r\nhello\r\n0\r\n\r\n"]
)
def test_a_malformed_chunk_in_single_bytes_is_400_9112_7_1(client: Client, origin: Script, body: bytes) -> None:
    client.send(head())
    for byte in body:
        client.send_if_open(bytes([byte]))
    never_completed(client, origin)


@pytest.mark.parametrize("size", [20_000, 1_000_000])
def test_one_huge_chunk_extension_is_400_9112_7_1_1(client: Client, origin: Script, size: int) -> None:
    client.send_if_open(head() + b"5;" + b"e" * size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED)
    never_completed(client, origin)


def test_all_chunk_extensions_together_are_bounded_9112_7_1_1(client: Client, origin: Script) -> None:
    client.send_if_open(head() + (b"1;" + b"e" * 200 + b"\r\nx\r\n") * 5_000 + b"0\r\n\r\n" + SMUGGLED)
    never_completed(client, origin)


def test_a_chunk_size_that_never_ends_is_400_9112_7_1(client: Client, origin: Script) -> None:
    client.send_if_open(head() + b"0" * 100_000)
    never_completed(client, origin)


def test_a_chunk_extension_is_not_passed_on_9112_7_1_1(client: Client, origin: Script) -> None:
    client.send(head() + b"5;secret=1\r\nhello\r\n0;last\r\n\r\n")
    assert client.answer().status == 200
    assert origin.only.body == b"hello"


def test_many_small_chunks_pass_9112_7_1(client: Client, origin: Script) -> None:
    client.send(head() + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")
    assert client.answer().status == 200
    assert origin.only.body == b"x" * 50_000


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
