"""The two ends that a request can have: refused by the gateway itself, or forwarded."""

from tests.http.client import Client
from tests.http.message import Answer, get
from tests.http.origin import Received, Script

SMUGGLED = get(b"/smuggled")


def refused(client: Client, origin: Script, raw: bytes, *statuses: int) -> Answer:
    """The request gets one of the statuses, marked as the gateway's own; the connection ends and what follows on it
    is not taken for a request (gateway.md F15); the upstream sees nothing of it."""
    client.send_if_open(raw + SMUGGLED)
    answer = client.answer()
    assert answer.status in (statuses or (400,)), answer.raw
    assert answer.error, f"not marked as the gateway's own (RFC 9209): {answer.raw!r}"
    assert b"close" in answer.options(), f"RFC 9112 §9.6: {answer.raw!r}"
    assert client.ends(), f"more after the refusal: {client.buffer!r}"
    assert not origin.requests, [request.raw for request in origin.requests]
    return answer


def forwarded(client: Client, origin: Script, raw: bytes) -> Received:
    """The request reaches the upstream, once, and its answer the client."""
    client.send(raw)
    answer = client.answer(raw.split(b" ", 1)[0].lstrip())
    assert answer.status == 200, answer.raw + answer.body
    assert not answer.error, answer.raw
    return origin.only


def refused_or_forwarded(client: Client, origin: Script, raw: bytes, *statuses: int) -> Received | None:
    """Where the RFC leaves the choice: the request as forwarded, or None where it was refused with a status."""
    client.send_if_open(raw)
    answer = client.answer(raw.split(b" ", 1)[0].lstrip())
    if answer.status == 200:
        return origin.only
    assert answer.status in (statuses or (400,)), answer.raw
    assert answer.error, answer.raw
    assert client.ends()
    assert not origin.requests
    return None
