"""C6: what may be sent twice, and what never (RFC 9110 §9.2.2, RFC 9112 §9.3.1)."""

import itertools
from collections.abc import Callable

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok, post, post_chunked
from tests.http.origin import Call, Script

Request = Callable[[bytes], bytes]
NUMBER = itertools.count()


def fresh_target() -> bytes:
    """A target that no test has used: what ended a connection once is not tried again."""
    return b"/retry-%d" % next(NUMBER)


class DyingUpstream:
    """Answers `/prime`; other requests end their connection so many times, then get an answer."""

    def __init__(self, times: int, how: str = "close", sent: bytes = b"") -> None:
        self.left = times
        self.how = how
        self.sent = sent

    def __call__(self, call: Call) -> None:
        if call.request.target == b"/prime" or self.left == 0:
            call.reply(ok(body=b"" if call.request.method == b"HEAD" else b"ok"))
            return
        self.left -= 1
        call.reply(self.sent)
        getattr(call, self.how)()


def tries(origin: Script) -> int:
    return sum(request.target != b"/prime" for request in origin.requests)


def prime(client: Client, origin: Script, times: int = 1, how: str = "close", sent: bytes = b"") -> None:
    """Leaves exactly one idle connection in the pool, which has been used once and dies of the next request."""
    origin.fresh()
    origin.answers(DyingUpstream(times, how, sent))
    assert client.ask(get(b"/prime")).status == 200


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_a_safe_request_on_a_stale_connection_is_sent_once_more_9110_9_2_2(
    client: Client, origin: Script, method: bytes, how: str
) -> None:
    prime(client, origin, how=how)
    answer = client.ask(message(method + b" " + fresh_target() + b" HTTP/1.1", HOST, b"X-A: 1"), method)
    assert (answer.status, tries(origin)) == (200, 2)
    first, second = origin.requests[-2:]
    assert first.raw == second.raw
    assert first.connection != second.connection


def bodiless(method: bytes) -> Request:
    return lambda target: message(method + b" " + target + b" HTTP/1.1", HOST, b"Content-Length: 0")


UNSAFE: dict[str, Request] = {
    **{method.decode(): bodiless(method) for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"PURGE", b"TRACE")},
    "a counted body": post,
    "a chunked body": lambda target: post_chunked(b"hello").replace(b"POST /", b"POST " + target),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("raw", UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_request_is_never_sent_twice_9110_9_2_2(
    client: Client, origin: Script, raw: Request, how: str
) -> None:
    prime(client, origin, how=how)
    answer = client.ask(raw(fresh_target()))
    assert (answer.status, answer.error is not None, tries(origin)) == (502, True, 1)


def test_a_get_with_a_body_is_not_sent_twice_without_it_C6(client: Client, origin: Script) -> None:
    prime(client, origin)
    raw = message(b"GET " + fresh_target() + b" HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello")
    assert client.ask(raw).status in (200, 502)
    assert all(request.body == b"hello" for request in origin.requests if request.target != b"/prime")


def test_a_safe_request_that_ends_its_first_connection_is_not_sent_again_C6(client: Client, origin: Script) -> None:
    origin.fresh()
    origin.answers(DyingUpstream(1))
    assert client.ask(get(fresh_target())).status == 502
    assert tries(origin) == 1


def test_a_safe_request_is_sent_again_once_alone_C6(client: Client, origin: Script) -> None:
    prime(client, origin, times=2)
    assert client.ask(get(fresh_target())).status == 502
    assert tries(origin) == 2


def test_a_request_that_just_ended_a_connection_is_not_sent_again_C6(client: Client, origin: Script) -> None:
    target = fresh_target()
    for status in (200, 502):
        prime(client, origin)
        assert client.ask(get(target)).status == status
    assert tries(origin) == 3


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 H\r\n\r\n"])
def test_after_one_byte_of_an_answer_nothing_is_sent_again_9110_9_2_2(
    client: Client, origin: Script, sent: bytes
) -> None:
    prime(client, origin, sent=sent)
    assert client.ask(get(fresh_target())).status == 502
    assert tries(origin) == 1


@pytest.mark.parametrize("raw", [get, post])
def test_a_connection_that_was_closed_while_idle_is_not_used_9112_9_3_1(
    client: Client, origin: Script, raw: Request
) -> None:
    for _ in range(5):
        origin.fresh()
        assert client.ask(raw(b"/prime")).status == 200
    assert len(origin.requests) == 5


def test_retries_have_a_budget_C6(client: Client, origin: Script) -> None:
    """20 % of the requests and a floor: of 100 pairs of requests, half of which die, not 80 are tried again."""

    def handle(call: Call) -> None:
        call.reply(ok()) if call.request.target == b"/thrifty/prime" else call.close()

    origin.answers(handle)
    for _ in range(100):
        client.ask(get(b"/thrifty/prime"))
        assert client.ask(get(b"/thrifty" + fresh_target())).status == 502
    assert 0 < len(origin.requests) - 200 < 80


@pytest.mark.parametrize("line", [b"Connection: close", b"Keep-Alive: timeout=0"])
def test_a_connection_announced_to_end_is_not_used_9112_9_6(client: Client, origin: Script, line: bytes) -> None:
    origin.answers(ok(line))
    client.ask(get(b"/1"))
    client.ask(post(b"/2"))
    assert [request.target for request in origin.requests] == [b"/1", b"/2"]
    if line == b"Connection: close":
        assert origin.requests[0].connection != origin.requests[1].connection
