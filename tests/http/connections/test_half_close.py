"""A client that ends its side behind a whole request: has left, or waits, as its service's `half_close` says."""

import threading

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok, post, post_chunked
from tests.http.origin import Call, Script, Watch
from tests.http.stream import DEADLINE_S

TARGET = b"/half-close/"
REQUESTS = {
    "GET": get(TARGET),
    "a body": post(TARGET),
    "chunked": post_chunked(b"hel", b"lo").replace(b"POST / ", b"POST " + TARGET + b" "),
    "HTTP/1.0": message(b"GET " + TARGET + b" HTTP/1.0", HOST),
}


@pytest.fixture
def ended() -> threading.Event:
    return threading.Event()


@pytest.fixture
def slow(origin: Script, ended: threading.Event) -> Script:
    """Answers once the client has ended its side."""

    def handle(call: Call) -> None:
        call.body()
        assert ended.wait(DEADLINE_S)
        call.send(ok(body=call.request.target))

    origin.answers(handle)
    return origin


def half_close(client: Client, ended: threading.Event) -> None:
    client.finish()
    assert client.stays_silent(0.1), "the gateway took it for one that had left"
    ended.set()


@pytest.mark.parametrize("raw", REQUESTS.values(), ids=REQUESTS)
def test_a_whole_request_gets_its_answer_and_then_the_close_9112_9_6(
    client: Client, slow: Script, ended: threading.Event, raw: bytes
) -> None:
    client.send(raw)
    assert slow.saw(1)
    half_close(client, ended)
    answer = client.answer(version=b"1.0" if b"HTTP/1.0" in raw else b"1.1")
    assert (answer.status, answer.body, answer.options()) == (200, TARGET, {b"close"})
    assert client.ends()


def test_pipelined_requests_get_their_answers_and_a_half_one_none_9112_9_3_2(
    client: Client, slow: Script, ended: threading.Event
) -> None:
    client.send(b"".join(get(TARGET + b"%d" % n) for n in range(5)) + get(TARGET)[:-2])
    assert slow.saw(1)
    half_close(client, ended)
    assert [client.answer().body for _ in range(5)] == [TARGET + b"%d" % n for n in range(5)]
    assert client.ends()
    assert len(slow.requests) == 5


def test_a_request_and_its_end_in_one_segment_get_the_answer(client: Client, origin: Script) -> None:
    client.send(get(TARGET))
    client.finish()
    assert client.answer().status == 200
    assert client.ends()


def test_a_long_answer_is_whole(client: Client, origin: Script) -> None:
    origin.answers(ok(body=b"x" * 10_000_000))
    client.send(get(TARGET))
    client.finish()
    assert len(client.answer().body) == 10_000_000
    assert client.ends()


@pytest.mark.parametrize(
    "raw", [get(), message(b"POST " + TARGET + b" HTTP/1.1", HOST, b"Content-Length: 10", body=b"hello")]
)
def test_another_service_or_half_a_request_ends_C2(client: Client, origin: Script, raw: bytes) -> None:
    """As nginx: a client that ends its side has left."""
    watch = Watch(read_body=False)
    origin.answers(watch)
    client.send(raw)
    assert watch.seen.wait(DEADLINE_S)
    client.finish()
    assert watch.left.wait(DEADLINE_S)
    assert client.ends()


def test_who_really_left_is_noticed_when_the_answer_comes_C2(
    gateway: GatewayProcess, client: Client, slow: Script, ended: threading.Event
) -> None:
    client.send(get(TARGET, b"X-Request-Id: really-left"))
    assert slow.saw(1)
    client.close()
    ended.set()
    assert gateway.logged("really-left")
    assert gateway.connect().ask(get()).status == 200
