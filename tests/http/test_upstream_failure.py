"""C3: an upstream that is down, slow or lying; the gateway's own answers are marked (RFC 9209, 9110 §15.6)."""

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok, post
from tests.http.origin import Call, Script


@pytest.mark.parametrize("raw", [get(b"/refusing/a"), post(b"/refusing/a"), get(b"/refusing/a?b=c")])
def test_a_refused_connection_is_502_9110_15_6_3(client: Client, raw: bytes) -> None:
    answer = client.ask(raw)
    assert (answer.status, answer.error) == (502, b"connection_refused")
    assert client.ask(raw).status == 502


def test_an_unknown_name_is_502_9110_15_6_3(client: Client) -> None:
    answer = client.ask(get(b"/unknown/a"))
    assert (answer.status, answer.error) == (502, b"dns_error")


def test_a_connection_that_does_not_come_about_in_time_is_504_9110_15_6_5(client: Client) -> None:
    answer = client.ask(get(b"/unanswering/a"))
    assert (answer.status, answer.error) == (504, b"connection_timeout")


@pytest.mark.parametrize("raw", [get(b"/hasty/a"), post(b"/hasty/a")])
def test_an_answer_that_does_not_come_in_time_is_504_9110_15_6_5(client: Client, origin: Script, raw: bytes) -> None:
    left: list[bool] = []

    def handle(call: Call) -> None:
        call.body()
        left.append(call.gone())
        call.close()

    origin.answers(handle)
    answer = client.ask(raw)
    assert (answer.status, answer.error) == (504, b"http_response_timeout")
    origin.wait_for(lambda: left == [True])
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n\r\n", b"\0" * 100, b"<html>not http</html>", b"\x15\x03\x01\x00\x02\x02\x46", b"SSH-2.0-x\r\n",
        b"220 smtp ready\r\n", b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n", b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", b"HTTP/1.1 200 OK\n\n", b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", b"HTTP/1.1 200 OK\r\nX\xe9: b\r\n\r\n",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_http_is_502_9112_8(client: Client, origin: Script, garbage: bytes) -> None:
    origin.answers(garbage, close=True)
    answer = client.ask(get(b"/garbage"))
    assert (answer.status, answer.error) == (502, b"http_protocol_error")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


@pytest.mark.parametrize("line", [b"X-A : 1", b"X-A\t: 1", b"Content-Length : 2"])
def test_white_space_before_the_colon_of_a_response_is_stripped_or_502_9112_5_1(
    client: Client, origin: Script, line: bytes
) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", line, b"X-B: 2", body=b"ok"), close=True)
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.body == b"ok"


def test_a_folded_field_of_a_response_is_a_space_or_502_9112_5_2(client: Client, origin: Script) -> None:
    origin.answers(ok(b"X-A: 1", b" 2", b"X-B: 3"), close=True)
    answer = client.ask(get())
    assert answer.status == 502 if answer.error else answer.get(b"x-a") == b"1 2"


@pytest.mark.parametrize(
    "status", [b"502 Bad Gateway", b"503 Busy", b"504 Timeout", b"500 Oops", b"400 Bad", b"413 Large", b"429 Slow"]
)
def test_an_error_of_the_upstream_is_not_marked_as_the_gateways_own_9209_2(
    client: Client, origin: Script, status: bytes
) -> None:
    origin.answers(ok(b"Retry-After: 7", body=b"its own words", status=status))
    answer = client.ask(get())
    assert (answer.body, answer.error, answer.get(b"retry-after")) == (b"its own words", None, b"7")


def test_a_proxy_status_of_an_inner_proxy_passes_9209_2(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Proxy-Status: inner; error=dns_error", status=b"502 Bad"))
    answer = client.ask(get())
    assert b"inner; error=dns_error" in answer.joined(b"proxy-status")
    assert answer.error is None


def test_a_breaker_opens_after_failures_with_503_and_retry_after_9110_15_6_4(gateway: GatewayProcess) -> None:
    answers = [gateway.connect().ask(get(b"/breaking/a")) for _ in range(5)]
    last = answers[-1]
    assert (last.status, last.error) == (503, b"destination_unavailable")
    assert (last.get(b"retry-after") or b"").isdigit()
    assert {answer.status for answer in answers} <= {502, 503}


def test_a_failing_service_does_not_hurt_another_C3(client: Client, origin: Script) -> None:
    for _ in range(3):
        assert client.ask(get(b"/refusing/a")).status == 502
        assert client.ask(get(b"/a")).status == 200


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE", b"OPTIONS", b"BREW"])
def test_the_gateways_own_answer_is_framed_for_the_method_9110_9_3_2(client: Client, method: bytes) -> None:
    raw = message(method + b" /refusing/a HTTP/1.1", HOST)
    answer = client.ask(raw, method)
    assert answer.status in (502, 501)
    if method == b"HEAD":
        assert client.ask(get(b"/refusing/a")).status == 502
    else:
        assert answer.get(b"content-type")


def test_the_gateways_own_answer_for_http_1_0_is_closed_9112_9_3(client: Client) -> None:
    client.send(message(b"GET /refusing/a HTTP/1.0", HOST))
    answer = client.answer(version=b"1.0")
    assert (answer.status, answer.error) == (502, b"connection_refused")
    assert client.ends()


def test_the_gateways_own_answer_tells_nothing_of_the_inside_C3(
    client: Client, refusing_port: int, origin: Script
) -> None:
    answer = client.ask(get(b"/refusing/secret-path?token=s3cret", b"Authorization: s3cret", b"Cookie: s3cret"))
    told = answer.raw + answer.body
    assert b"127.0.0.1" not in told
    assert b"%d" % refusing_port not in told
    assert b"s3cret" not in told


def test_an_error_template_shapes_the_gateways_own_answer_C3(client: Client, origin: Script) -> None:
    client.ask(get(b"/limited/a"))
    answer = client.ask(get(b"/limited/a"))
    assert (answer.status, answer.get(b"content-type")) == (429, b"text/html")
    assert answer.body.startswith(b"<p>429 Too Many Requests: ")
    assert answer.error


def test_the_gateways_own_answers_keep_the_connection_where_framing_is_sound_9112_9_3(
    client: Client, origin: Script
) -> None:
    assert b"close" not in client.ask(get(b"/refusing/a")).options()
    assert b"close" not in client.ask(get(b"/strict/..")).options()
    assert client.ask(get()).body == b"ok"


def test_the_gateways_own_401_names_a_challenge_9110_15_5_2(client: Client, origin: Script) -> None:
    answer = client.ask(get(b"/members/a"))
    assert (answer.status, answer.error is not None) == (401, True)
    assert answer.get(b"www-authenticate")
    assert not origin.requests
