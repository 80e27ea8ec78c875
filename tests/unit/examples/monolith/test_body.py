"""Bodies are read before anything else of a request is looked at."""

import gzip
import json
import zlib
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from tests.recordings.running import RunningMonolith
from tests.unit.examples.monolith.client import JSON, Client

LIMIT = 102_400
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bad", "Unexpected token b in JSON at position 1"),
        ('{"a":1,}', "Unexpected token } in JSON at position 7"),
        ('{"a" "b"}', "Unexpected string in JSON at position 5"),
        ("[1 2]", "Unexpected number in JSON at position 3"),
        ('{"a":-}', "Unexpected token } in JSON at position 6"),
        ("[01]", "Unexpected number in JSON at position 2"),
        ("[tru]", "Unexpected token ] in JSON at position 4"),
        ("[NaN]", "Unexpected token N in JSON at position 1"),
        ('["\\x"]', "Unexpected token x in JSON at position 3"),
        ('["a\tb"]', "Unexpected token \t in JSON at position 3"),
        ('["\\1"]', "Unexpected number in JSON at position 3"),
        ('["\\u12"]', "Unexpected string in JSON at position 6"),
        ('{"a":', "Unexpected end of JSON input"),
        ('["abc', "Unexpected end of JSON input"),
        ("{}x", "Unexpected token x in JSON at position 2"),
        ('{"😀":x}', "Unexpected token x in JSON at position 6"),
        ('{"a":😀}', "Unexpected token \ud83d in JSON at position 5"),
        ("😀", "Unexpected token \ud83d in JSON at position 0"),
        ('"text"', 'Unexpected token " in JSON at position 0'),
        ("  12", "Unexpected token 1 in JSON at position 2"),
        ("null", "Unexpected token n in JSON at position 0"),
        (" \n ", "Unexpected end of JSON input"),
    ],
)
def test_text_that_is_no_json_object_is_refused_in_the_words_of_node_16(
    anonymous: Client, text: str, message: str
) -> None:
    answer = anonymous.ask("POST", "/nowhere", JSON, text.encode())
    assert (answer.status, answer.json) == (400, {"statusCode": 400, "message": message, "error": "Bad Request"})


def test_a_bad_body_comes_before_a_bad_token(anonymous: Client) -> None:
    assert anonymous.ask("POST", "/item", JSON | {"Authorization": "Bearer x"}, b"{").status == 400
    assert anonymous.ask("POST", "/item", JSON | {"Authorization": "Bearer x"}, b"{}").status == 403


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 404), (LIMIT + 1, 413)])
def test_a_body_may_have_100_kib(anonymous: Client, size: int, status: int) -> None:
    body = json.dumps("x").join(["[", "]"]).encode().ljust(size)
    assert anonymous.ask("POST", "/nowhere", JSON, body).status == status
    assert anonymous.ask("POST", "/nowhere", JSON, iter([body[:50_000], body[50_000:]])).status == status


def test_too_large_a_body_is_refused_without_the_words_of_the_status(anonymous: Client) -> None:
    answer = anonymous.ask("POST", "/user", FORM, b"a=" + b"x" * LIMIT)
    assert answer.json == {"statusCode": 413, "message": "request entity too large"}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Content-Type": "application/json; charset=latin1"}, 'unsupported charset "LATIN1"'),
        ({"Content-Type": "application/json; charset=utf-99"}, 'unsupported charset "UTF-99"'),
        ({"Content-Type": "application/json; charset=utf-32"}, 'unsupported charset "UTF-32"'),
        ({"Content-Type": "application/json; charset=utf-8-sig"}, 'unsupported charset "UTF-8-SIG"'),
        ({"Content-Type": "application/json; charset=utf-8; charset=latin1"}, 'unsupported charset "LATIN1"'),
        (
            {"Content-Type": "application/json; charset=utf-99", "Content-Encoding": "br"},
            'unsupported content encoding "br"',
        ),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=utf-16"}, 'unsupported charset "UTF-16"'),
        (JSON | {"Content-Encoding": "br"}, 'unsupported content encoding "br"'),
    ],
)
def test_a_body_in_an_unknown_form_is_415(anonymous: Client, headers: dict[str, str], message: str) -> None:
    answer = anonymous.ask("POST", "/nowhere", headers, b"{}")
    assert (answer.status, answer.json) == (415, {"statusCode": 415, "message": message})


@pytest.mark.parametrize(
    ("encoding", "body", "status", "message"),
    [
        ("gzip", b"no gzip", 400, "incorrect header check"),
        ("deflate", b"no zlib", 400, "incorrect header check"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-4], 400, "unexpected end of file"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"garbage", 400, "incorrect header check"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"x", 400, "unexpected end of file"),
        ("gzip", b"", 400, "unexpected end of file"),
        ("gzip", gzip.compress(b"[" + b" " * LIMIT, mtime=0), 413, "request entity too large"),
    ],
)
def test_a_compressed_body_that_does_not_open_is_refused(
    anonymous: Client, encoding: str, body: bytes, status: int, message: str
) -> None:
    headers = JSON | {"Content-Encoding": encoding, "Content-Length": str(len(body))}
    answer = anonymous.ask("POST", "/nowhere", headers, body)
    assert (answer.status, answer.json["message"]) == (status, message)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{bad", mtime=0)),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{", mtime=0) + gzip.compress(b"bad", mtime=0) + bytes(9)),
        ({"Content-Encoding": "deflate"}, zlib.compress(b"{bad") + b"x"),
        ({"Content-Encoding": ""}, b"{bad"),
        ({"Content-Type": 'application/json; charset=""'}, b"{bad"),
        ({"Content-Type": "application/json; charset=latin1; charset=utf-_8"}, b"{bad"),
        ({"Content-Type": "application/json; charset=utf-16le"}, "{bad".encode("utf-16le")),
        ({"Content-Type": "Application/JSON; charset=UTF-8"}, b"\xef\xbb\xbf{bad"),
    ],
)
def test_json_is_read_through_compression_and_charset(anonymous: Client, headers: dict[str, str], body: bytes) -> None:
    answer = anonymous.ask("POST", "/nowhere", JSON | headers, body)
    assert answer.json["message"] == "Unexpected token b in JSON at position 1"


@pytest.mark.parametrize(
    "headers",
    [{}]
    + [
        {"Content-Type": kind}
        for kind in (
            "text/plain",
            "application/merge+json",
            "application/json;",
            "application/json; charset",
            "application/json; charset=",
        )
    ],
)
def test_a_body_of_another_type_is_an_empty_object(
    admin: Client, headers: dict[str, str], new_item: Callable[..., str]
) -> None:
    answer = admin.ask("PATCH", f"/item/{new_item(cost=3)}", headers, b'{"cost": 4}')
    assert (answer.status, answer.data["cost"]) == (200, 3)


def test_a_number_in_a_form_stays_text(admin: Client) -> None:
    assert admin.ask("POST", "/item", FORM, b"cost=5&type=hint&data[text]=a").status == 400


def test_a_deeply_nested_form_is_an_ordinary_bad_request(anonymous: Client) -> None:
    assert anonymous.ask("POST", "/user", FORM, b"a" + b"[b]" * 30_000).status == 400


def test_a_form_has_a_thousand_parameters_at_most(anonymous: Client) -> None:
    assert anonymous.ask("POST", "/nowhere", FORM, b"&".join([b"a=1"] * 1000)).status == 404
    answer = anonymous.ask("POST", "/nowhere", FORM, b"&".join([b"a=1"] * 1001))
    assert (answer.status, answer.json["message"]) == (413, "too many parameters")


@pytest.mark.parametrize("body", [b"[" * 40_000, b"[" * 40_000 + b"]" * 40_000, b'{"a":' * 10_000])
def test_a_deeply_nested_body_is_an_ordinary_bad_request(anonymous: Client, body: bytes) -> None:
    assert anonymous.ask("POST", "/user", JSON, body).status == 400


def test_the_next_request_of_a_connection_follows_a_refused_body(monolith: RunningMonolith) -> None:
    connection = HTTPConnection(monolith.host, monolith.port, timeout=20)
    connection.request("POST", "/nowhere", b"x" * 300_000, JSON)
    assert _status(connection) == 413
    connection.request("GET", "/health")
    assert _status(connection) == 200
    connection.close()


def _status(connection: HTTPConnection) -> int:
    response = connection.getresponse()
    response.read()
    return response.status
