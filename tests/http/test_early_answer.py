"""B5: an answer that comes while the client still sends (RFC 9112 §9.3, §9.6)."""

import threading

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, get, message, ok
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

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


def test_an_upstream_that_answers_and_resets_while_the_client_sends_9112_9_6(client: Client, origin: Script) -> None:
    def handle(call: Call) -> None:
        call.send(message(b"HTTP/1.1 403 No", b"Content-Length: 2", b"Connection: close", body=b"no"))
        call.close()

    origin.answers(handle)
    client.send(message(b"POST / HTTP/1.1", HOST, b"Content-Length: 100000") + b"x" * 50_000)
    answer = client.answer()
    assert answer.status in (403, 502)
    assert answer.error or answer.body == b"no"
