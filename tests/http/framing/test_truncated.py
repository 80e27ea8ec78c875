"""R5: an upstream that breaks off (RFC 9112 §8)."""

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, Truncated, chunk, get, message, ok, post
from tests.http.origin import Call, Handler, Script

COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDING = pytest.mark.parametrize("how", ["close", "reset"])


def breaking_off(sent: bytes, how: str) -> Handler:
    def handle(call: Call) -> None:
        call.reply(sent)
        getattr(call, how)()

    return handle


@ENDING
@pytest.mark.parametrize("sent", [b"", b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"])
@pytest.mark.parametrize("raw", [get(b"/t"), post(b"/t")], ids=["GET", "POST"])
def test_an_answer_cut_within_its_head_is_502_9112_8(
    client: Client, origin: Script, how: str, sent: bytes, raw: bytes
) -> None:
    origin.fresh()
    origin.answers(breaking_off(sent, how))
    answer = client.ask(raw)
    assert answer.status == 502
    assert answer.error in (b"connection_terminated", b"http_response_incomplete", b"http_protocol_error")
    assert len(origin.requests) == 1
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


@ENDING
@pytest.mark.parametrize(
    "sent",
    [
        COUNTED, COUNTED + b"part", CHUNKED, CHUNKED + chunk(b"part"), CHUNKED + b"5\r\nhell",
        CHUNKED + b"5\r\nhello\r", CHUNKED + b"5\r\nhello\r\n0", CHUNKED + b"5\r\nhello\r\n0\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n",
    ],
)  # fmt: skip
def test_an_answer_cut_within_its_body_is_cut_for_the_client_9112_8(
    client: Client, origin: Script, how: str, sent: bytes
) -> None:
    origin.answers(breaking_off(sent, how))
    client.send(get() + get(b"/second"))
    head = client.head()
    rest = client.rest()
    if head.status == 502:
        assert head.error
    else:
        assert head.status == 200
        assert len(rest) < int(head.get(b"content-length") or 1000)
        assert not rest.endswith(b"0\r\n\r\n")


def test_what_had_arrived_before_the_cut_reaches_the_client_and_it_is_recorded_as_failed_9112_8(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    origin.answers(COUNTED + b"part", close=True)
    with pytest.raises(Truncated) as cut:
        client.ask(get(b"/", b"X-Request-Id: cut-within-its-body"))
    assert cut.value.seen == b"part"
    assert '"failed":""' not in gateway.logged("cut-within-its-body").replace(" ", "")


def test_a_reset_ends_an_unframed_body_with_an_error_9112_8(client: Client, origin: Script) -> None:
    origin.answers(breaking_off(message(b"HTTP/1.1 200 OK", body=b"part"), "reset"))
    client.send(get())
    try:
        answer = client.answer()
    except Truncated:
        return
    assert answer.error, "an answer that broke off looks complete"


def test_a_body_longer_than_its_length_is_cut_at_its_length_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 2", body=b"okMORE"))
    assert client.ask(get()).body == b"ok"
    assert client.ask(message(b"GET /b HTTP/1.1", HOST)).body == b"ok"
    assert origin.requests[0].connection != origin.requests[1].connection


@ENDING
@pytest.mark.parametrize("sent", [COUNTED + b"part", CHUNKED + chunk(b"part")], ids=["counted", "chunked"])
def test_for_http_1_0_only_a_reset_tells_that_an_unframed_answer_was_cut_9112_8(
    client: Client, origin: Script, how: str, sent: bytes
) -> None:
    origin.answers(breaking_off(sent, how))
    client.send(message(b"GET / HTTP/1.0", HOST))
    head = client.head(b"1.0")
    client.rest()
    assert client.was_reset or head.get(b"content-length")
