"""A rate limit cannot be walked around by spelling, and tells clients what is left (RFC 6585 §4, RateLimit fields)."""

import itertools

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get, ok
from tests.http.origin import Script
from tests.http.verdicts import forwarded

_numbers = itertools.count(1)


@pytest.fixture
def new_address() -> bytes:
    """Of a client that no other test has."""
    return b"X-Forwarded-For: 198.51.100.%d" % next(_numbers)


@pytest.fixture
def proxied(trusting: GatewayProcess) -> Client:
    """A client that the gateway takes for a trusted proxy."""
    return trusting.connect()


def test_a_stranger_is_one_caller_whatever_the_request_says_H7(start: Start) -> None:
    client = start().connect()
    assert client.ask(get(b"/limited/a")).status == 200
    for line in (
        b"X-Forwarded-For: 6.6.6.6",
        b"X_Forwarded_For: 6.6.6.6",
        b"Forwarded: for=6.6.6.6",
        b"X-Real-IP: 6.6.6.6",
        b"Client-IP: 6.6.6.6",
        b"True-Client-IP: 6.6.6.6",
        b"CF-Connecting-IP: 6.6.6.6",
        b"Authorization: Bearer other",
    ):
        assert client.ask(get(b"/limited/a", line)).status == 429, line


def test_behind_a_proxy_the_client_is_who_it_says_however_the_address_is_written(
    proxied: Client, new_address: bytes
) -> None:
    assert proxied.ask(get(b"/limited/a", new_address)).status == 200
    forwarded_for, _, address = new_address.partition(b": ")
    spellings = (b":4711", b", 127.0.0.9", b", 127.0.0.9:80,", b", ::ffff:127.0.0.1")
    for line in [new_address + spelling for spelling in spellings]:
        assert proxied.ask(get(b"/limited/a", line)).status == 429, line
    for claimed in (b"6.6.6.6", b"6.6.6.6, rubbish", b"127.0.0.1", b"::1"):
        line = b"%b: %b, %b" % (forwarded_for, claimed, address)
        assert proxied.ask(get(b"/limited/a", line)).status == 429, line
    assert proxied.ask(get(b"/limited/a", b"%b: ::FFFF:%b" % (forwarded_for, address))).status == 429


def test_every_answer_of_a_limited_route_tells_what_is_left(proxied: Client, origin: Script) -> None:
    credential = b"Authorization: Bearer token-of-this-test"
    own = [b"RateLimit-Limit: 5", b'RateLimit: "monolith";r=4;t=9', b"X-RateLimit-Remaining: 4"]
    origin.answers(ok(*own))
    first = proxied.ask(get(b"/paced/a", credential))
    assert first.status == 200
    assert first.all(b"ratelimit") == [b'"monolith";r=4;t=9', b'"paced-3600s";r=1;t=3600, "paced-86400s";r=2;t=86400']
    policy = b'"paced-3600s";q=2;w=3600, "paced-86400s";q=3;w=86400'
    assert (first.get(b"ratelimit-policy"), first.get(b"ratelimit-limit")) == (policy, b"5")
    origin.answers(ok(status=b"404 Not Found"))
    second = proxied.ask(get(b"/paced/a", credential))
    assert (second.status, second.get(b"retry-after")) == (404, None)
    third = proxied.ask(get(b"/paced/a", credential))
    assert (third.status, third.get(b"content-type")) == (429, b"text/html")
    assert third.get(b"ratelimit-policy") == policy
    told = third.get(b"ratelimit") or b""
    assert told.startswith(b'"paced-3600s";r=0;t=')
    assert (third.get(b"retry-after") or b"") == told.partition(b"t=")[2].partition(b",")[0]


def test_without_a_limit_the_monoliths_own_fields_pass_alone(client: Client, origin: Script) -> None:
    own = [b"RateLimit: limit=10, remaining=3, reset=5", b"RateLimit-Policy: 10;w=60", b"Retry-After: 7"]
    origin.answers(ok(*own))
    forwarded(client, origin, get(b"/a"))
    origin.answers(ok(*own))
    answer = client.ask(get(b"/a"))
    assert [b"%b: %b" % pair for pair in answer.fields if b"%b: %b" % pair in own] == own


def test_one_credential_is_one_caller_in_every_spelling_and_beside_others(proxied: Client) -> None:
    for _ in range(2):
        assert proxied.ask(get(b"/paced/a", b"Authorization: Bearer spelled")).status == 200
    for lines in (
        [b"authorization: bearer spelled"],
        [b"AUTHORIZATION:\tBEARER \t spelled\t"],
        [b"Authorization: Bearer spelled and more"],
        [b"Authorization: Bearer spelled", b"Authorization: Bearer made-up-1"],
        [b"Authorization: Bearer made-up-2", b"Authorization: Bearer spelled"],
        [b"Authorization: Bearer made-up-3", b"X-Forwarded-For: 203.0.113.99", b"authorization: bearer spelled"],
    ):
        assert proxied.ask(get(b"/paced/a", *lines)).status == 429, lines
    assert proxied.ask(get(b"/paced/a", b"Authorization: Bearer another")).status == 200
