"""H9: the gateway's own version, and clients of others (RFC 9110 §2.5, §6.2; RFC 9112 §2.3, §9.3)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok, ok_chunked
from tests.http.origin import Script, replying
from tests.http.verdicts import forwarded, refused, refused_or_forwarded


@pytest.mark.parametrize("version", [b"1.0", b"1.1", b"1.2", b"1.9"])
def test_the_gateway_states_its_own_version_9110_2_5(client: Client, origin: Script, version: bytes) -> None:
    client.send(message(b"GET / HTTP/" + version, HOST))
    answer = client.answer(version=version)
    if answer.status == 505:
        assert version not in (b"1.0", b"1.1")
    else:
        assert answer.start.startswith(b"HTTP/1.1 200")
        assert origin.only.start == b"GET / HTTP/1.1"


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/3.0", b"HTTP/2", b"HTTP/9.9", b"HTTP/0.9"])
def test_a_major_version_that_is_not_spoken_is_505_9110_15_6_6(client: Client, origin: Script, version: bytes) -> None:
    wrong = (505,) if version == b"HTTP/2.0" else (505, 400)
    refused(client, origin, message(b"GET / " + version, HOST), *wrong)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / http/1.1", b"GET / HTTP/1", b"GET / HTTP/11", b"GET / HTTP/1.", b"GET / HTTP/.1", b"GET / HTTP/1.10",
        b"GET / HTTP/01.1", b"GET / HTTP/1,1", b"GET / HTTP 1.1", b"GET / HTTP/1.1x", b"GET / HTTP/1.1 HTTP/1.1",
        b"GET / HTTPS/1.1", b"GET / ICE/1.0", b"GET / HTTP/x.y", b"GET / HTTP/-1.1", b"GET /", b"GET", b"/ HTTP/1.1",
        b"GET HTTP/1.1", b"GET / /b HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET / HTTP/1.1\x00", b"GET\t/\tHTTP/1.1",
        b"GET /\x0b HTTP/1.1", b"\x00GET / HTTP/1.1", b"\xff\xfe", b"*", b":", b"GET / HTTP/1\xe2\x80\xa41",
    ],
)  # fmt: skip
def test_a_malformed_request_line_is_400_9112_3(client: Client, origin: Script, line: bytes) -> None:
    refused(client, origin, message(line, HOST), 400, 505)


@pytest.mark.parametrize("line", [b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/1.1\t"])
def test_odd_white_space_in_a_request_line_is_400_or_normalised_9112_3(
    client: Client, origin: Script, line: bytes
) -> None:
    request = refused_or_forwarded(client, origin, message(line, HOST))
    assert request is None or request.start == b"GET / HTTP/1.1"


def test_http_0_9_is_no_request_9112_2_3(client: Client, origin: Script) -> None:
    client.send(b"GET /\r\n")
    client.finish()
    assert b"200" not in client.rest()[:20]
    assert not origin.requests


def test_an_http_1_0_client_gets_no_chunked_body_and_the_close_9112_6_1(client: Client, origin: Script) -> None:
    origin.answers(ok_chunked(b"one", b"two", trailers=(b"X-T: 1",)))
    client.send(message(b"GET / HTTP/1.0", HOST))
    answer = client.answer(version=b"1.0")
    assert answer.body == b"onetwo"
    assert client.ends()


def test_an_http_1_0_client_with_te_trailers_gets_no_chunked_body_9112_6_1(client: Client, origin: Script) -> None:
    origin.answers(ok_chunked(b"one", trailers=(b"X-T: 1",)))
    client.send(message(b"GET / HTTP/1.0", HOST, b"TE: trailers", b"Connection: TE"))
    assert client.answer(version=b"1.0").body == b"one"
    assert client.ends()


def test_an_http_1_0_client_gets_a_counted_body_and_the_close_9112_9_3(client: Client, origin: Script) -> None:
    client.send(message(b"GET / HTTP/1.0", HOST) + get(b"/second"))
    answer = client.answer(version=b"1.0")
    assert (answer.body, answer.get(b"content-length")) == (b"ok", b"2")
    assert client.ends()
    assert origin.only.target == b"/"


def test_an_http_1_0_client_that_asks_for_keep_alive_gets_it_said_or_the_close_9112_c_2_2(
    client: Client, origin: Script
) -> None:
    request = message(b"GET / HTTP/1.0", HOST, b"Connection: keep-alive")
    client.send(request)
    if b"keep-alive" in client.answer(version=b"1.0").options():
        client.send(request)
        assert client.answer(version=b"1.0").body == b"ok"
    else:
        assert client.ends()


def test_an_http_1_0_keep_alive_client_gets_an_unframed_body_up_to_the_close_9112_6_3(
    client: Client, origin: Script
) -> None:
    origin.answers(ok_chunked(b"one", b"two"))
    client.send(message(b"GET / HTTP/1.0", HOST, b"Connection: keep-alive"))
    answer = client.answer(version=b"1.0")
    assert answer.body == b"onetwo"
    assert answer.get(b"content-length") or client.ends()


def test_an_http_1_0_head_is_closed_without_a_body_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 5"))
    client.send(message(b"HEAD / HTTP/1.0", HOST))
    assert client.answer(b"HEAD", version=b"1.0").get(b"content-length") == b"5"
    assert client.ends()


def test_an_http_1_0_post_is_forwarded_with_its_body_9112_6_3(client: Client, origin: Script) -> None:
    client.send(message(b"POST / HTTP/1.0", HOST, b"Content-Length: 5", body=b"hello"))
    assert client.answer(version=b"1.0").status == 200
    assert origin.only.body == b"hello"


def test_an_http_1_0_upstream_is_spoken_for_in_1_1_9110_2_5(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.0 200 Fine\r\nContent-Length: 2\r\n\r\nok", close=True)
    answer = client.ask(get())
    assert answer.start == b"HTTP/1.1 200 Fine"
    assert answer.body == b"ok"


def test_a_connection_of_an_http_1_0_upstream_is_not_reused_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    client.ask(get())
    client.ask(get())
    assert origin.requests[0].connection != origin.requests[1].connection


def test_an_http_1_0_upstream_without_length_ends_by_close_9112_6_3(client: Client, origin: Script) -> None:
    origin.answers(b"HTTP/1.0 200 OK\r\n\r\nthe body", close=True)
    assert client.ask(get()).body == b"the body"


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK", b"HTTP/2 200", b"ICY 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 abc OK",
        b"HTTP/1.1 099 Low", b"HTTP/1.1 000 Zero", b"HTTP/1.1  200 OK", b"HTTP/1.1", b"garbage", b"http/1.1 200 OK",
        b"HTTP/1.1 -20 x", b"HTTP/1.1 200\x00OK", b"<html>", b"\x16\x03\x01\x02\x00", b"HTTP/1.1 200 O\rK",
        b" HTTP/1.1 200 OK", b"HTTP/0.9 200 OK",
    ],
)  # fmt: skip
def test_a_malformed_status_line_is_502_9112_4(client: Client, origin: Script, line: bytes) -> None:
    origin.answers(message(line, b"Content-Length: 2", body=b"ok"), close=True)
    answer = client.ask(get())
    assert answer.status == 502, answer.raw
    assert answer.error == b"http_protocol_error"


def test_a_status_line_without_reason_is_502_or_passes_9112_4(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200", b"Content-Length: 2", body=b"ok"))
    answer = client.ask(get())
    assert answer.status == (502 if answer.error else 200)


def test_the_next_request_after_an_http_1_1_answer_uses_the_same_connection_9112_9_3(
    client: Client, origin: Script
) -> None:
    origin.answers(replying(ok()))
    forwarded(client, origin, get(b"/1"))
    client.ask(get(b"/2"))
    assert [request.target for request in origin.requests] == [b"/1", b"/2"]
