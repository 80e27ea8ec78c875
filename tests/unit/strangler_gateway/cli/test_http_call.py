"""One HTTP call: what arrives at the server, and every way in which no answer comes."""

import pytest

from strangler_gateway.cli.http_call import CallFailed, call
from tests.support.one_answer import answering


def test_path_query_body_and_the_credential_of_the_url_are_sent() -> None:
    with (
        answering(b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\n{}") as (address, received),
        call("POST", f"http://us%40er:pass@{address}/a?b=c", {"X-A": "b"}, b"[1]", 5.0) as answer,
    ):
        assert (answer.status, answer.reason, answer.body()) == (201, "Made", b"{}")
    head, body = received
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    for field in (b"Authorization: Basic dXNAZXI6cGFzcw==", b"X-A: b", b"Content-Type: application/json"):
        assert field in head.split(b"\r\n")
    assert body == b"[1]"


def test_lines_arrive_one_by_one_and_a_broken_off_answer_is_a_failure() -> None:
    chunks = b"5\r\na\nbc\n\r\n3\r\nd\r\n\r\n9\r\nhalf"
    with (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks) as (address, _),
        call("POST", f"http://{address}/record", {}, b"{}", 5.0) as answer,
    ):
        lines = answer.lines()
        assert [next(lines), next(lines)] == ["a", "bc"]
        with pytest.raises(CallFailed):
            list(lines)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed|reset"),
        (b"220 mail.example ESMTP\r\n", "220 mail.example"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "IncompleteRead"),
    ],
)
def test_an_answer_that_is_not_whole_http_is_a_failure(answer: bytes, reason: str) -> None:
    with (
        answering(answer) as (address, _),
        pytest.raises(CallFailed, match=reason),
        call("GET", f"http://{address}/", {}, None, 5.0) as found,
    ):
        found.body()


@pytest.mark.parametrize("url", ["no url", "ftp://a", "http://", "http://a:port/", "http://a:70000/", "http://a b/"])
def test_a_url_that_cannot_be_called_is_a_failure(url: str) -> None:
    with pytest.raises(CallFailed), call("GET", url, {}, None, 0.1):
        pass
