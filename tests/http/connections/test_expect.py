"""B3, B5: Expect: 100-continue, and answers while the client still sends (RFC 9110 §10.1.1, RFC 9112 §9.3, §9.6)."""

import socket
import threading

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, chunked, get, message, ok
from tests.http.origin import Call, Script, Watch
from tests.http.stream import DEADLINE_S

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CODED = b"Transfer-Encoding: chunked"


def expecting(target: bytes = b"/", length: int = 5, expect: bytes = b"100-continue") -> bytes:
    return message(b"POST " + target + b" HTTP/1.1", HOST, b"Content-Length: %d" % length, b"Expect: " + expect)


def continuing(call: Call) -> None:
    call.send(CONTINUE)
    call.reply(ok(body=call.body()))


@pytest.mark.parametrize("expect", [b"100-continue", b"100-CONTINUE", b" 100-Continue "])
@pytest.mark.parametrize("body", [b"hello", chunked(b"hel", b"lo")], ids=["counted", "chunked"])
def test_a_100_of_the_upstream_reaches_the_client_once_9110_10_1_1(
    client: Client, origin: Script, expect: bytes, body: bytes
) -> None:
    origin.answers(continuing)
    raw = expecting(expect=expect)
    client.send(raw if body == b"hello" else raw.replace(b"Content-Length: 5", CODED))
    assert client.interim().start.startswith(b"HTTP/1.1 100")
    client.send(body)
    answer = client.answer()
    assert (answer.body, answer.interim) == (b"hello", [])
    assert (origin.only.get(b"expect") or expect).strip().lower() == b"100-continue"
    assert client.ask(get()).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        (b"Expect: 100-continue", b"Expect: 100-Continue"),
        (b"Expect: 100-continue, 100-continue",),
        (b"Expect:", b"Expect: 100-continue"),
    ],
)
def test_equal_expectations_are_one_9110_5_3(client: Client, origin: Script, lines: tuple[bytes, ...]) -> None:
    origin.answers(continuing)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", *lines))
    client.interim()
    client.send(b"hello")
    assert client.answer().status == 200
    assert (origin.only.get(b"expect") or b"").lower() == b"100-continue"


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


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"413 Large", b"417 No", b"500 Oops", b"302 Found"])
def test_a_final_answer_of_the_upstream_comes_without_a_100_and_the_unsent_body_is_no_request_9112_9_3(
    client: Client, origin: Script, status: bytes
) -> None:
    def handle(call: Call) -> None:
        call.send(ok(body=b"no", status=status))
        call.close()

    origin.answers(handle)
    smuggled = get(b"/smuggled")
    client.send(expecting(length=len(smuggled)))
    answer = client.answer()
    assert (answer.status, answer.body, answer.interim, answer.error) == (int(status[:3]), b"no", [], None)
    client.send_if_open(smuggled)
    client.finish()
    client.rest()
    assert [request.target for request in origin.requests] == [b"/"]


@pytest.mark.parametrize("waits", [False, True], ids=["it does not wait", "it gives up waiting"])
@pytest.mark.parametrize("late", [b"", CONTINUE], ids=["no 100", "a late 100"])
def test_a_client_that_sends_without_a_100_is_served_9110_10_1_1(
    client: Client, origin: Script, waits: bool, late: bytes
) -> None:
    origin.answers(late + ok())
    client.send(expecting())
    assert not waits or origin.saw(1)
    client.send(b"hello")
    answer = client.answer()
    assert (answer.status, origin.only.body) == (200, b"hello")
    assert len(answer.interim) <= 1


def test_two_100s_of_the_upstream_are_one_for_the_client_B3(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(CONTINUE)
        continuing(call)

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


@pytest.mark.parametrize("lines", [[], [b"Content-Length: 0"]])
def test_an_expectation_without_a_body_is_answered_9110_10_1_1(
    client: Client, origin: Script, lines: list[bytes]
) -> None:
    client.send(message(b"POST / HTTP/1.1", HOST, b"Expect: 100-continue", *lines))
    assert client.answer().status == 200
    assert client.ask(get()).status == 200


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        (b"/small/a", {413}),
        (b"/refusing/a", {502}),
        (b"/breaking/a", {502, 503}),
        (b"/members/a", {401}),
        (b"/a#b", {400}),
        (b"/limited/a", {429}),
    ],
)
def test_the_gateways_own_refusal_comes_without_a_100_and_the_unsent_body_is_no_request_9112_9_3(
    client: Client, origin: Script, target: bytes, statuses: set[int]
) -> None:
    if target == b"/limited/a":
        client.ask(get(target))
        origin.requests.clear()
    smuggled = get(b"/small/smuggled", b"X: " + b"x" * 5000)
    client.send(expecting(target, length=len(smuggled)))
    answer = client.answer()
    assert (answer.interim, answer.error is not None) == ([], True)
    assert answer.status in statuses
    assert (answer.get(b"retry-after") is not None) is (answer.status in (429, 503))
    client.send_if_open(smuggled)
    client.finish()
    client.rest()
    assert not origin.requests


def test_an_expecting_client_that_leaves_cancels_the_upstream_C2(client: Client, origin: Script) -> None:
    watch = Watch(read_body=False)
    origin.answers(watch)
    client.send(expecting())
    assert watch.seen.wait(DEADLINE_S)
    client.close()
    assert watch.left.wait(DEADLINE_S)
    assert watch.rest == b""


BIG = 50_000_000


def refuse_at_once(call: Call) -> None:
    """Answers with the head alone read, and leaves."""
    call.send(message(b"HTTP/1.1 413 Too Large", b"Content-Length: 3", b"Connection: close", body=b"big"))
    call.stream.finish()
    call.stream.rest()
    call.close()


@pytest.mark.parametrize("framing", [b"Content-Length: %d" % BIG, b"Transfer-Encoding: chunked"])
def test_an_early_refusal_reaches_a_client_that_still_sends_9112_9_3(
    client: Client, origin: Script, framing: bytes
) -> None:
    origin.answers(refuse_at_once)
    client.send(message(b"POST / HTTP/1.1", HOST, framing))
    sender = threading.Thread(target=client.send_if_open, args=(chunk(b"x" * BIG),), daemon=True)
    sender.start()
    answer = client.answer()
    assert (answer.status, answer.body, answer.error) == (413, b"big", None)
    client.ends()
    client.close()
    sender.join(DEADLINE_S)
    assert not sender.is_alive()


def test_an_early_refusal_reaches_a_client_that_pauses_and_the_rest_is_no_request_9112_9_3(
    client: Client, origin: Script
) -> None:
    smuggled = get(b"/smuggled")
    origin.answers(refuse_at_once)
    client.send(message(b"POST /a HTTP/1.1", HOST, b"Content-Length: %d" % (10 + len(smuggled))) + b"x" * 10)
    answer = client.answer()
    assert (answer.status, answer.body) == (413, b"big")
    client.send_if_open(smuggled)
    client.finish()
    client.rest()
    assert [request.target for request in origin.requests] == [b"/a"]


@pytest.mark.parametrize("status", [200, 404])
def test_an_early_answer_without_close_leaves_no_half_request_to_the_next_client_9112_9_3(
    gateway: GatewayProcess, client: Client, origin: Script, status: int
) -> None:
    origin.answers(lambda call: call.send(ok(body=b"early", status=b"%d X" % status)))
    client.send(message(b"POST /1 HTTP/1.1", HOST, b"Content-Length: 100") + b"x" * 10)
    answer = client.answer()
    assert (answer.status, answer.body) == (status, b"early")
    client.reset()
    origin.answers(lambda call: call.reply(ok(body=call.request.target)))
    other = gateway.connect()
    assert [other.ask(get(target)).body for target in (b"/2", b"/3")] == [b"/2", b"/3"]
    assert [request.target for request in origin.requests] == [b"/1", b"/2", b"/3"]


@pytest.mark.parametrize("ends_first", [False, True], ids=["resets", "ends, then resets"])
@pytest.mark.parametrize(
    "framing", [(b"Content-Length: %d" % BIG,), (b"Content-Length: %d" % BIG, b"Expect: 100-continue"), (CODED,)]
)
def test_the_answer_of_an_upstream_that_leaves_while_the_client_sends_is_not_lost_9112_9_6(
    gateway: GatewayProcess, origin: Script, framing: tuple[bytes, ...], ends_first: bool
) -> None:
    """Some of so many were lost when the gateway's failing write was the end of the connection."""

    def handle(call: Call) -> None:
        for _ in range(len(origin.requests)):
            call.stream.socket.recv(65_536)
        call.send(message(b"HTTP/1.1 403 No", b"Content-Length: 2", body=b"no"))
        if ends_first:
            call.stream.finish()
        call.close()

    origin.answers(handle)
    body = chunk(b"x" * BIG)[:5_000_000]
    for _ in range(30):
        client = gateway.connect()
        client.send(message(b"POST / HTTP/1.1", HOST, *framing))
        sender = threading.Thread(target=client.send_if_open, args=(body,), daemon=True)
        sender.start()
        answer = client.answer()
        assert (answer.status, answer.body, answer.error) == (403, b"no", None)
        client.socket.shutdown(socket.SHUT_RDWR)
        sender.join(DEADLINE_S)


def test_an_upload_goes_on_behind_its_early_answer_until_the_connection_ends_9112_9_6(
    client: Client, origin: Script
) -> None:
    """The upstream takes nothing of it, so that the gateway had stopped reading."""
    proceed, done = threading.Event(), threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.send(message(b"HTTP/1.1 403 No", b"Content-Length: 2", body=b"no"))
        done.wait(DEADLINE_S)
        call.close()

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 1000000000"))
    client.pour(b"x" * 65_536, 200_000_000)
    proceed.set()
    assert client.answer().status == 403
    client.send(b"x" * 10_000_000)
    done.set()


@pytest.mark.parametrize(("answer", "status"), [(b"HTTP/1.1 403 No\r\n\r\nno", 403), (b"", 502)])
def test_an_upstream_that_only_ends_its_side_has_said_all_9112_8(
    client: Client, origin: Script, answer: bytes, status: int
) -> None:
    """It takes nothing of the upload, and stays."""
    proceed, done = threading.Event(), threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.stream.send_if_open(answer)
        call.stream.finish()
        done.wait(DEADLINE_S)
        call.close()

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 1000000000"))
    client.pour(b"x" * 65_536, 200_000_000)
    proceed.set()
    assert client.answer().status == status
    done.set()
