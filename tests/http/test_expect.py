"""B3: Expect: 100-continue (RFC 9110 §10.1.1)."""

import threading

import pytest

from tests.http.client import Client
from tests.http.message import HOST, chunked, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def expecting(target: bytes = b"/", *lines: bytes, length: int = 5, expect: bytes = b"100-continue") -> bytes:
    return message(b"POST " + target + b" HTTP/1.1", HOST, b"Content-Length: %d" % length, b"Expect: " + expect, *lines)


def continuing(call: Call) -> None:
    call.send(CONTINUE)
    call.reply(ok(body=call.body()))


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue", b"100-CONTINUE", b" 100-continue "])
def test_a_100_of_the_upstream_reaches_the_client_once_9110_10_1_1(
    client: Client, origin: Script, expect: bytes
) -> None:
    origin.answers(continuing)
    client.send(expecting(expect=expect))
    assert client.interim().start.startswith(b"HTTP/1.1 100")
    client.send(b"hello")
    answer = client.answer()
    assert (answer.body, answer.interim) == (b"hello", [])
    assert client.ask(get()).status == 200


def test_the_body_is_not_asked_for_before_the_upstream_wants_it_9110_10_1_1(client: Client, origin: Script) -> None:
    proceed = threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        continuing(call)

    origin.answers(handle)
    client.send(expecting())
    assert origin.saw(1)
    assert client.stays_silent(0.1)
    proceed.set()
    client.interim()
    client.send(b"hello")
    assert client.answer().body == b"hello"


def test_the_expectation_is_passed_on_9110_10_1_1(client: Client, origin: Script) -> None:
    origin.answers(continuing)
    client.send(expecting())
    client.interim()
    client.send(b"hello")
    assert client.answer().status == 200
    assert origin.only.get(b"expect") in (b"100-continue", None)


def test_a_chunked_body_waits_for_the_100_too_9110_10_1_1(client: Client, origin: Script) -> None:
    origin.answers(continuing)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked", b"Expect: 100-continue"))
    client.interim()
    client.send(chunked(b"hel", b"lo"))
    answer = client.answer()
    assert (answer.body, answer.interim) == (b"hello", [])


@pytest.mark.parametrize(
    "status", [b"401 Unauthorized", b"403 No", b"404 No", b"413 Large", b"417 No", b"500 Oops", b"302 Found"]
)
def test_a_final_answer_of_the_upstream_comes_without_a_100_9110_10_1_1(
    client: Client, origin: Script, status: bytes
) -> None:
    def handle(call: Call) -> None:
        call.send(ok(body=b"no", status=status))
        call.close()

    origin.answers(handle)
    client.send(expecting(length=1_000_000))
    answer = client.answer()
    assert (answer.status, answer.body, answer.interim) == (int(status[:3]), b"no", [])
    assert answer.error is None


def test_after_a_final_answer_the_unsent_body_is_never_taken_for_a_request_9112_9_3(
    client: Client, origin: Script
) -> None:
    smuggled = get(b"/smuggled")

    def handle(call: Call) -> None:
        call.send(ok(status=b"401 No"))
        call.close()

    origin.answers(handle)
    client.send(expecting(length=len(smuggled)))
    assert client.answer().status == 401
    client.send_if_open(smuggled)
    client.finish()
    client.rest()
    assert [request.target for request in origin.requests] == [b"/"]


def test_a_client_that_does_not_wait_is_served_9110_10_1_1(client: Client, origin: Script) -> None:
    client.send(expecting() + b"hello")
    answer = client.answer()
    assert answer.status == 200
    assert origin.only.body == b"hello"
    assert len(answer.interim) <= 1


def test_a_client_that_gives_up_waiting_is_served_though_no_100_came_9110_10_1_1(
    client: Client, origin: Script
) -> None:
    client.send(expecting())
    assert origin.saw(1)
    client.send(b"hello")
    assert client.answer().status == 200
    assert origin.only.body == b"hello"


def test_two_100s_of_the_upstream_are_one_for_the_client_B3(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(CONTINUE + CONTINUE)
        call.reply(ok())

    origin.answers(handle)
    client.send(expecting())
    client.interim()
    client.send(b"hello")
    answer = client.answer()
    assert (answer.status, answer.interim) == (200, [])


def test_a_100_and_the_answer_in_one_segment_are_told_apart_9110_15_2(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(CONTINUE + ok(body=b"early"))
        call.body()

    origin.answers(handle)
    client.send(expecting() + b"hello")
    answer = client.answer()
    assert answer.body == b"early"
    assert len(answer.interim) <= 1


def test_a_late_100_after_the_body_does_no_harm_9110_10_1_1(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.body()
        call.send(CONTINUE + ok())

    origin.answers(handle)
    client.send(expecting() + b"hello")
    assert client.answer().status == 200


@pytest.mark.parametrize("expect", [b"200-ok", b"100-continue, x", b"x=y", b"foo", b"100-continue;q=1"])
def test_an_unknown_expectation_is_417_9110_10_1_1(client: Client, origin: Script, expect: bytes) -> None:
    client.send_if_open(expecting(expect=expect) + b"hello")
    answer = client.answer()
    if answer.status == 200:
        assert origin.only.get(b"expect") == expect
    else:
        assert answer.status == 417
        assert answer.error
        assert not origin.requests


@pytest.mark.parametrize("lines", [[], [b"Content-Length: 0"]])
def test_an_expectation_without_a_body_is_answered_9110_10_1_1(
    client: Client, origin: Script, lines: list[bytes]
) -> None:
    client.send(message(b"POST / HTTP/1.1", HOST, b"Expect: 100-continue", *lines))
    assert client.answer().status == 200
    assert client.ask(get()).status == 200


def test_an_expectation_of_http_1_0_is_ignored_9110_10_1_1(client: Client, origin: Script) -> None:
    raw = message(b"POST / HTTP/1.0", HOST, b"Content-Length: 5", b"Expect: 100-continue", body=b"hello")
    client.send(raw)
    answer = client.answer(version=b"1.0")
    assert (answer.status, answer.interim) == (200, [])
    assert origin.only.body == b"hello"
    assert not origin.only.all(b"expect")


@pytest.mark.parametrize(
    ("target", "status"),
    [(b"/small/a", 413), (b"/refusing/a", 502), (b"/breaking/a", 0), (b"/members/a", 401), (b"/a#b", 400)],
)
def test_the_gateways_own_refusal_comes_without_a_100_9110_10_1_1(
    client: Client, origin: Script, target: bytes, status: int
) -> None:
    client.send(expecting(target, length=5_000))
    answer = client.answer()
    assert answer.interim == []
    assert answer.error
    assert answer.status == status or not status
    assert not origin.requests


def test_a_rate_limit_refuses_without_a_100_9110_10_1_1(client: Client, origin: Script) -> None:
    client.ask(get(b"/limited/a"))
    seen = len(origin.requests)
    client.send(expecting(b"/limited/a"))
    answer = client.answer()
    assert (answer.status, answer.interim) == (429, [])
    assert answer.get(b"retry-after")
    assert len(origin.requests) == seen


def test_after_the_gateways_own_refusal_the_unsent_body_is_no_request_9112_9_3(client: Client, origin: Script) -> None:
    smuggled = get(b"/smuggled")
    client.send(expecting(b"/small/a", length=5_000))
    assert client.answer().status == 413
    client.send_if_open(smuggled)
    client.finish()
    client.rest()
    assert not origin.requests


def test_an_expecting_client_that_leaves_cancels_the_upstream_C2(client: Client, origin: Script) -> None:
    left = threading.Event()

    def handle(call: Call) -> None:
        if call.gone():
            left.set()
        call.close()

    origin.answers(handle)
    client.send(expecting())
    assert origin.saw(1)
    client.close()
    assert left.wait(DEADLINE_S)
