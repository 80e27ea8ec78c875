"""H9: the gateway's own version, and ends of others (RFC 9110 §2.5, §6.2; RFC 9112 §2.3, §9.3)."""

import pytest

from tests.http.client import Client
from tests.http.message import HOST, get, message, ok, ok_chunked
from tests.http.origin import Script


def of_1_0(method: bytes = b"GET", *lines: bytes, body: bytes = b"") -> bytes:
    return message(method + b" / HTTP/1.0", HOST, *lines, body=body)


@pytest.mark.parametrize("version", [b"1.0", b"1.1", b"1.2"])
def test_the_gateway_states_its_own_version_9110_2_5(client: Client, origin: Script, version: bytes) -> None:
    client.send(message(b"GET / HTTP/" + version, HOST))
    answer = client.answer(version=version)
    if answer.status == 505:
        assert version == b"1.2"
    else:
        assert answer.start.startswith(b"HTTP/1.1 200")
        assert origin.only.start == b"GET / HTTP/1.1"


KEEP_ALIVE, WANTED = b"Connection: keep-alive", (b"TE: trailers", b"Connection: TE")
OF_1_0 = {
    "a chunked body": (of_1_0(), ok_chunked(b"one", b"two", trailers=(b"X-T: 1",)), b"onetwo"),
    "trailers that it wants": (of_1_0(b"GET", *WANTED), ok_chunked(b"one", trailers=(b"X-T: 1",)), b"one"),
    "a chunked body, kept alive": (of_1_0(b"GET", KEEP_ALIVE), ok_chunked(b"one", b"two"), b"onetwo"),
    "a body up to the close, kept alive": (of_1_0(b"GET", KEEP_ALIVE), message(b"HTTP/1.1 200 OK", body=b"end"),
        b"end"),
    "a counted body, another request behind it": (of_1_0() + get(b"/second"), ok(), b"ok"),
    "a length without a body": (of_1_0(b"HEAD"), message(b"HTTP/1.1 200 OK", b"Content-Length: 5"), b""),
    "an answer to its own body": (of_1_0(b"POST", b"Content-Length: 5", body=b"hello"), ok(), b"ok"),
    "no answer in between": (of_1_0(), b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + ok(), b"ok"),
    "no 100 that it expected": (of_1_0(b"POST", b"Content-Length: 5", b"Expect: 100-continue", body=b"hello"), ok(),
        b"ok"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "answer", "body"), OF_1_0.values(), ids=OF_1_0)
def test_an_http_1_0_client_gets_no_chunk_no_interim_answer_and_the_close_9112_6_1(
    client: Client, origin: Script, raw: bytes, answer: bytes, body: bytes
) -> None:
    unframed = b"Content-Length" not in answer and b"chunked" not in answer
    origin.answers(answer, close=unframed)
    client.send(raw)
    seen = client.answer(raw.split(b" ")[0], version=b"1.0")
    assert (seen.body, seen.interim) == (body, [])
    assert (seen.get(b"content-length") is not None) is (b"Content-Length" in answer)
    assert client.ends()
    assert origin.only.body == (b"hello" if raw.startswith(b"POST") else b"")
    assert not origin.only.all(b"expect")


def test_an_http_1_0_client_that_asks_for_keep_alive_gets_it_said_or_the_close_9112_c_2_2(
    client: Client, origin: Script
) -> None:
    client.send(of_1_0(b"GET", KEEP_ALIVE))
    if b"keep-alive" in client.answer(version=b"1.0").options():
        client.send(of_1_0(b"GET", KEEP_ALIVE))
        assert client.answer(version=b"1.0").body == b"ok"
    else:
        assert client.ends()


@pytest.mark.parametrize(
    ("lines", "close"), [((b"Content-Length: 8",), False), ((), True)], ids=["counted", "to the close"]
)
def test_an_http_1_0_upstream_is_spoken_for_in_1_1_and_not_reused_9110_2_5(
    client: Client, origin: Script, lines: tuple[bytes, ...], close: bool
) -> None:
    origin.answers(message(b"HTTP/1.0 200 Fine", *lines, body=b"the body"), close=close)
    for _ in range(2):
        answer = client.ask(get())
        assert (answer.start, answer.body) == (b"HTTP/1.1 200 Fine", b"the body")
    assert origin.requests[0].connection != origin.requests[1].connection
