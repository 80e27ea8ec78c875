"""C1: many requests on one connection (RFC 9112 §9.3)."""

import threading

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok, ok_chunked, post, post_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S


def echo(call: Call) -> None:
    call.reply(ok(body=call.request.target + b" " + call.body()))


@pytest.mark.parametrize("slow", [True, False], ids=["the first is slow", "none is slow"])
def test_pipelined_answers_come_in_order_9112_9_3_2(client: Client, origin: Script, slow: bool) -> None:
    others = threading.Event()

    def handle(call: Call) -> None:
        if slow and call.request.target == b"/0":
            others.wait(0.1)
        echo(call)

    origin.answers(handle)
    client.send(b"".join(get(b"/%d" % n) for n in range(200)))
    assert [client.answer().body for _ in range(200)] == [b"/%d " % n for n in range(200)]


@pytest.mark.parametrize("byte_by_byte", [True, False])
def test_pipelined_bodies_stay_apart_9112_9_3_2(client: Client, origin: Script, byte_by_byte: bool) -> None:
    origin.answers(echo)
    raw = (
        post(b"/1", body=b"one")
        + b"\r\n"
        + post_chunked(b"t", b"wo")
        + get(b"/3")
        + post(b"/4", body=b"")
        + post(b"/5")
    )
    for piece in [bytes([byte]) for byte in raw] if byte_by_byte else [raw]:
        client.send(piece)
    assert [client.answer().body for _ in range(5)] == [b"/1 one", b"/ two", b"/3 ", b"/4 ", b"/5 hello"]


def test_an_upstream_that_fails_does_not_lose_the_next_request_C1(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.close() if call.request.target == b"/pipe-1" else echo(call)

    origin.fresh()
    origin.answers(handle)
    client.send(post(b"/pipe-1") + get(b"/2") + get(b"/refusing/3") + get(b"/4"))
    assert [client.answer().status for _ in range(4)] == [502, 200, 502, 200]


@pytest.mark.parametrize("garbage", [b"garbage\r\n\r\n", b"\0\0\0", post().replace(b": 5", b": x")])
def test_garbage_behind_a_request_waits_for_its_turn_C1(client: Client, origin: Script, garbage: bytes) -> None:
    proceed = threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.reply(ok_chunked(b"one", b"two"))

    origin.answers(handle)
    client.send(get(b"/1") + garbage)
    assert origin.saw(1)
    assert client.stays_silent(0.05)
    proceed.set()
    assert client.answer().body == b"onetwo"
    assert client.answer().status == 400
    assert client.ends()
    assert len(origin.requests) == 1


def test_head_and_get_in_turn_are_framed_right_9112_6_3(client: Client, origin: Script) -> None:
    counted = message(b"HTTP/1.1 200 OK", b"Content-Length: 4")
    origin.answers(lambda call: call.reply(counted + (b"" if call.request.method == b"HEAD" else b"body")))
    client.send((message(b"HEAD / HTTP/1.1", HOST) + get()) * 3)
    assert [client.answer(method).body for method in (b"HEAD", b"GET") * 3] == [b"", b"body"] * 3


def test_a_hundred_requests_one_after_another_use_one_connection_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(echo)
    assert [client.ask(get(b"/%d" % n)).body for n in range(100)] == [b"/%d " % n for n in range(100)]
    assert len({request.connection for request in origin.requests}) == 1


@pytest.mark.parametrize("between", [b"\r\n", b"\r\n\r\n", b"\n"])
def test_an_empty_line_between_requests_is_tolerated_or_400_9112_2_2(
    client: Client, origin: Script, between: bytes
) -> None:
    client.send(b"\r\n" + get(b"/1") + between + get(b"/2"))
    assert client.answer().status == 200
    second = client.answer()
    assert second.status == 200 if between == b"\r\n" else second.status in (200, 400)


def test_a_flood_of_pipelined_requests_is_read_no_faster_than_answered_C7(client: Client, origin: Script) -> None:
    proceed = threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.reply(ok())

    origin.answers(handle)
    sent = client.pour(get(b"/" + b"p" * 1000) * 64, 64_000_000)
    proceed.set()
    assert sent < 32_000_000, "pipelined requests are buffered without bound"
