"""The gateway's own answers: marked, shaped by the templates, and never breaking out of them."""

import json
import socket
import ssl

import pytest

from strangler_gateway.exchange.errors import connect_error
from strangler_gateway.exchange.own_answers import render
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.table.routes import ErrorTemplate

REPLY = Reply(502, "connection_refused", 'The upstream "a" refused.')


def test_an_own_answer_is_marked_and_json_by_default() -> None:
    """RFC 9209 §2."""
    fields, body = render(REPLY, "gw", {}, b"id-1")
    assert (b"Proxy-Status", b"gw; error=connection_refused") in fields
    assert json.loads(body) == {"statusCode": 502, "message": 'The upstream "a" refused.', "error": "Bad Gateway"}
    assert dict(fields)[b"Content-Length"] == b"%d" % len(body)


def test_the_template_of_the_status_wins_over_the_default_one() -> None:
    shapes = {
        "default": ErrorTemplate("text/plain", "{status}"),
        "502": ErrorTemplate("application/json", '{"m": "{message}", "s": {status}, "id": "{request_id}"}'),
    }
    fields, body = render(REPLY, "gw", shapes, b"id-1")
    assert json.loads(body) == {"m": 'The upstream "a" refused.', "s": 502, "id": "id-1"}
    assert dict(fields)[b"Content-Type"] == b"application/json"
    assert render(Reply(404, "", "x"), "gw", shapes, b"")[1] == b"404"


def test_a_value_is_never_taken_for_a_placeholder() -> None:
    shapes = {"default": ErrorTemplate("text/plain", "{message} {request_id}")}
    assert render(Reply(502, "http_request_error", "{request_id}"), "gw", shapes, b"id-1")[1] == b"{request_id} id-1"


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [
        (TimeoutError(), "connection_timeout", 504),
        (ConnectionRefusedError(), "connection_refused", 502),
        (socket.gaierror(), "dns_error", 502),
        (ssl.SSLCertVerificationError(), "tls_certificate_error", 502),
        (ssl.SSLError(), "tls_protocol_error", 502),
        (ConnectionResetError(), "connection_terminated", 502),
        (OSError(), "destination_ip_unroutable", 502),
    ],
)
def test_what_connecting_raised_becomes_a_word_of_rfc_9209(raised: Exception, code: str, status: int) -> None:
    error = connect_error("a", raised)
    assert (error.code, error.status, error.stage) == (code, status, "connect")


def test_a_fault_of_our_own_is_not_taken_for_an_upstreams() -> None:
    with pytest.raises(KeyError):
        connect_error("a", KeyError("x"))
