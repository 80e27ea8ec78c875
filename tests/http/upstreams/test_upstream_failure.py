"""C3: an upstream that is down, slow or lying; the gateway's own answers are marked (RFC 9209, 9110 §15.6)."""

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok, post
from tests.http.origin import Call, Script


@pytest.mark.parametrize(
    ("target", "status", "error"),
    [
        (b"/refusing/a?b=c", 502, b"connection_refused"),
        (b"/unknown/a", 502, b"dns_error"),
        (b"/unanswering/a", 504, b"connection_timeout"),
    ],
)
def test_a_connection_that_does_not_come_about_is_said_so_9110_15_6_3(
    client: Client, target: bytes, status: int, error: bytes
) -> None:
    for raw in (get(target), post(target)):
        answer = client.ask(raw)
        assert (answer.status, answer.error) == (status, error)


@pytest.mark.parametrize("raw", [get(b"/hasty/a"), post(b"/hasty/a")], ids=["GET", "POST"])
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


NO_HTTP = [
    b"\r\n\r\n", b"\0" * 100, b"<html>not http</html>", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n",
    b"HTTP/1.1 200 OK\n\n", b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 200\0OK\r\nContent-Length: 2\r\n\r\nok",
]  # fmt: skip


@pytest.mark.parametrize("garbage", NO_HTTP)
def test_an_answer_that_is_no_http_is_502_9112_8(client: Client, origin: Script, garbage: bytes) -> None:
    origin.answers(garbage, close=True)
    answer = client.ask(get(b"/garbage"))
    assert (answer.status, answer.error) == (502, b"http_protocol_error")
    origin.answers(ok())
    assert client.ask(get()).body == b"ok"


def test_a_status_line_may_lack_its_reason_9112_4(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200", body=b"ok"), close=True)
    assert client.ask(get()).body == b"ok"


@pytest.mark.parametrize("status", [b"502 Bad Gateway", b"503 Busy", b"504 Timeout", b"400 Bad", b"429 Slow"])
def test_an_error_of_the_upstream_is_not_marked_as_the_gateways_own_9209_2(
    client: Client, origin: Script, status: bytes
) -> None:
    origin.answers(ok(b"Retry-After: 7", b"Proxy-Status: inner; error=dns_error", body=b"its words", status=status))
    answer = client.ask(get())
    assert (answer.body, answer.error, answer.get(b"retry-after")) == (b"its words", None, b"7")
    assert b"inner; error=dns_error" in answer.joined(b"proxy-status")


def test_a_breaker_opens_after_failures_with_503_and_retry_after_9110_15_6_4(gateway: GatewayProcess) -> None:
    answers = [gateway.connect().ask(get(b"/breaking/a")) for _ in range(5)]
    last = answers[-1]
    assert (last.status, last.error) == (503, b"destination_unavailable")
    assert (last.get(b"retry-after") or b"").isdigit()
    assert {answer.status for answer in answers} <= {502, 503}


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE", b"OPTIONS", b"BREW"])
def test_the_gateways_own_answer_is_framed_for_the_method_and_keeps_the_connection_9110_9_3_2(
    client: Client, origin: Script, method: bytes
) -> None:
    for _ in range(2):
        answer = client.ask(message(method + b" /refusing/a HTTP/1.1", HOST), method)
        assert (answer.status, answer.error) == (502, b"connection_refused")
        assert method == b"HEAD" or answer.get(b"content-type")
        assert b"close" not in answer.options()
        assert b"close" not in client.ask(get(b"/strict/..")).options()
        assert client.ask(get()).body == b"ok", "a failing service hurts no other"


def test_the_gateways_own_answer_for_http_1_0_is_closed_9112_9_3(client: Client) -> None:
    client.send(message(b"GET /refusing/a HTTP/1.0", HOST))
    answer = client.answer(version=b"1.0")
    assert (answer.status, answer.error) == (502, b"connection_refused")
    assert client.ends()


def test_the_gateways_own_answer_tells_nothing_of_the_inside_C3(client: Client, refusing_port: int) -> None:
    answer = client.ask(get(b"/refusing/secret-path?token=s3cret", b"Authorization: s3cret", b"Cookie: s3cret"))
    for secret in (b"127.0.0.1", b"%d" % refusing_port, b"s3cret"):
        assert secret not in answer.raw + answer.body


def test_an_error_template_shapes_the_gateways_own_answer_C3(client: Client, origin: Script) -> None:
    client.ask(get(b"/limited/a"))
    answer = client.ask(get(b"/limited/a"))
    assert (answer.status, answer.get(b"content-type")) == (429, b"text/html")
    assert answer.body.startswith(b"<p>429 Too Many Requests: ")
    assert answer.error


def test_the_gateways_own_401_names_a_challenge_9110_15_5_2(client: Client, origin: Script) -> None:
    answer = client.ask(get(b"/members/a"))
    assert (answer.status, answer.error is not None) == (401, True)
    assert answer.get(b"www-authenticate")
    assert not origin.requests
