"""H6 and Max-Forwards: the gateway names itself, sees loops, counts hops (RFC 9110 §7.6.2, §7.6.3)."""

import re

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded


@pytest.fixture
def own(gateway: GatewayProcess, origin: Script) -> bytes:
    """The name that the gateway gives itself."""
    via = forwarded(gateway.connect(), origin, get()).joined(b"via")
    origin.requests.clear()
    assert re.fullmatch(rb"1\.1 strangler[!-~]*", via)
    return via.removeprefix(b"1.1 ")


def test_via_tells_the_version_that_was_received_9110_7_6_3(client: Client, origin: Script, own: bytes) -> None:
    client.send(message(b"GET / HTTP/1.0", HOST))
    client.answer(version=b"1.0")
    assert origin.only.joined(b"via") == b"1.0 " + own


@pytest.mark.parametrize(
    "lines",
    [
        [b"Via: 1.0 fred, 1.1 p.example.net (Apache/1.1)"],
        [b"Via: 1.0 fred", b"Via: HTTP/1.1 GWA"],
        [b"via: 2 cdn:443"],
        [b"Via: 1.1 strangler"],
        [b"Via: ", b"Via: 1.1 a"],
        [b"Via:"],
    ],
)
def test_via_is_appended_to_what_is_there_9110_7_6_3(
    client: Client, origin: Script, own: bytes, lines: list[bytes]
) -> None:
    request = forwarded(client, origin, get(b"/", *lines))
    received = [value for line in lines if (value := line.split(b":", 1)[1].strip())]
    members = [part.strip() for part in request.joined(b"via").split(b",") if part.strip()]
    assert b", ".join(members) == b", ".join([*received, b"1.1 " + own])


@pytest.mark.parametrize(
    "lines",
    [
        [b"1.1 %s"],
        [b"1.0 fred,1.1 %s, 1.1 b"],
        [b"HTTP/1.1 %s (x)"],
        [b"1.0 %s"],
        [b"1.1 a", b"1.1 %s"],
    ],
)
def test_a_request_that_has_been_here_is_a_loop_9110_7_6_3(
    client: Client, origin: Script, own: bytes, lines: list[bytes]
) -> None:
    answer = client.ask(get(b"/", *(b"Via: " + line.replace(b"%s", own) for line in lines)))
    assert answer.status in (400, 502, 508)
    assert answer.error == b"proxy_loop_detected"
    assert not origin.requests


def test_via_of_a_response_keeps_what_is_there_9110_7_6_3(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Via: 1.0 inner"))
    assert client.ask(get()).joined(b"via").startswith(b"1.0 inner")


@pytest.mark.parametrize("line", [b"OPTIONS /a HTTP/1.1", b"OPTIONS * HTTP/1.1", b"TRACE /a HTTP/1.1"])
def test_max_forwards_0_is_answered_by_the_gateway_without_secrets_9110_7_6_2(
    client: Client, origin: Script, line: bytes
) -> None:
    secrets = [b"Authorization: Bearer s3cret", b"Cookie: session=s3cret"]
    answer = client.ask(message(line, HOST, b"Max-Forwards: 0", *secrets, b"X-Seen: 1"))
    assert answer.status in ((200, 405, 501) if line.startswith(b"TRACE") else (200, 204))
    assert not origin.requests
    assert b"s3cret" not in answer.raw + answer.body
    if line.startswith(b"TRACE") and answer.status == 200:
        assert answer.get(b"content-type") == b"message/http"
        assert answer.body.startswith(line + b"\r\n")
        assert b"X-Seen: 1" in answer.body
    assert client.ask(get()).body == b"ok"


@pytest.mark.parametrize("line", [b"OPTIONS /a", b"OPTIONS *", b"TRACE /a"])
@pytest.mark.parametrize(
    ("before", "after"), [(b"1", 0), (b"10", 9), (b"010", 9), (b"100", 99), (b"99999999999", 999999999)]
)
def test_max_forwards_is_lowered_by_one_9110_7_6_2(
    client: Client, origin: Script, line: bytes, before: bytes, after: int
) -> None:
    if client.ask(message(line + b" HTTP/1.1", HOST, b"Max-Forwards: " + before)).status in (405, 501):
        assert line == b"TRACE /a"
        assert not origin.requests
    else:
        assert [int(request.get(b"max-forwards") or -1) for request in origin.requests] == [after]


def test_max_forwards_0_on_get_is_ignored_9110_7_6_2(client: Client, origin: Script) -> None:
    assert forwarded(client, origin, get(b"/", b"Max-Forwards: 0")).target == b"/"


@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"1.5", b"9" * 40])
def test_an_invalid_max_forwards_does_no_harm_9110_7_6_2(client: Client, origin: Script, value: bytes) -> None:
    answer = client.ask(message(b"OPTIONS / HTTP/1.1", HOST, b"Max-Forwards: " + value))
    assert answer.status in (200, 204, 400)


def test_trace_passes_or_is_not_allowed_9110_9_3_8(client: Client, origin: Script) -> None:
    answer = client.ask(message(b"TRACE /a HTTP/1.1", HOST))
    assert answer.status in (200, 405, 501)
    assert answer.status != 405 or answer.all(b"allow")
