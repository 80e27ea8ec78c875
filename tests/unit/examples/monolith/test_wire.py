"""What Express, helmet and cors put around every answer."""

import socket
from collections.abc import Iterator

import pytest

from tests.recordings.running import RunningMonolith, running_monolith
from tests.unit.examples.monolith.client import JSON, Client

HEALTH_TAG = '"26-KN9+GRrw436ebXqCqUc77p4Wpx0"'
METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": f"W/{HEALTH_TAG}"}, 304),
        ({"If-None-Match": HEALTH_TAG}, 304),
        ({"If-None-Match": f'"other", W/{HEALTH_TAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": f"W/{HEALTH_TAG}", "Cache-Control": "max-age=0, no-cache"}, 200),
        ({"If-None-Match": f"W/{HEALTH_TAG}", "Cache-Control": "max-age=0"}, 304),
        ({"If-None-Match": f"W/{HEALTH_TAG}", "If-Modified-Since": "Tue, 24 Nov 2026 12:00:00 GMT"}, 200),
        ({"If-Modified-Since": "Tue, 24 Nov 2026 12:00:00 GMT"}, 200),
        ({"If-None-Match": ""}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_fresh_copy_is_answered_with_304(
    anonymous: Client, method: str, headers: dict[str, str], status: int
) -> None:
    answer = anonymous.ask(method, "/health", headers)
    assert (answer.status, answer.headers["etag"]) == (status, f"W/{HEALTH_TAG}")
    assert ("content-type" in answer.headers) == (status == 200)


def test_an_error_is_never_304(anonymous: Client) -> None:
    tag = anonymous.get("/nowhere").headers["etag"]
    assert anonymous.ask("GET", "/nowhere", {"If-None-Match": tag}).status == 404


@pytest.mark.parametrize("target", ["/HEALTH", "/health/", "/health?x=%zz", "/hEalth/?"])
def test_a_path_has_no_case_and_one_slash_too_many(anonymous: Client, target: str) -> None:
    assert anonymous.get(target).status == 200


@pytest.mark.parametrize(
    "target",
    ["//health", "/health//", "/%68ealth", "/health%2F", "/a%0Ab", "/health;x", "/item/a/b", "/a?b=c&d", "/a?"],
)
def test_an_unknown_path_is_named_as_sent(anonymous: Client, target: str) -> None:
    answer = anonymous.ask("PUT", target)
    assert (answer.status, answer.json["message"]) == (404, f"Cannot PUT {target}")


@pytest.mark.parametrize("segment", ["%", "%zz", "%FF", "a%C3", "%ED%A0%80"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_variable_that_cannot_be_decoded_is_refused_whatever_the_method(
    anonymous: Client, method: str, segment: str
) -> None:
    answer = anonymous.ask(method, f"/item/{segment}")
    message = f"Failed to decode param '{segment}'"
    assert (answer.status, answer.json) == (400, {"statusCode": 400, "message": message, "error": "Bad Request"})


@pytest.mark.parametrize("target", ["/item", "/nowhere", "/item/%zz"])
def test_options_is_answered_before_body_and_path_are_looked_at(anonymous: Client, target: str) -> None:
    answer = anonymous.ask("OPTIONS", target, JSON | {"Origin": "null"}, b"{bad")
    assert (answer.status, answer.content, answer.headers["content-length"]) == (204, b"", "0")
    assert answer.headers["access-control-allow-methods"] == METHODS
    assert answer.headers["access-control-allow-origin"] == "null"
    assert "access-control-allow-headers" not in answer.headers


def test_errors_tell_the_origin_that_it_may_read_them(anonymous: Client) -> None:
    answer = anonymous.ask("POST", "/item", JSON | {"Origin": "https://a.example"}, b"{bad")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, "https://a.example")


@pytest.mark.parametrize(
    ("head", "connection"),
    [
        (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", b"connection: keep-alive\r\nkeep-alive: timeout=5\r\n"),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"connection: close\r\n"),
        (b"GET /health HTTP/1.0\r\n\r\n", b"connection: close\r\n"),
    ],
)
def test_an_answer_says_whether_its_connection_stays(monolith: RunningMonolith, head: bytes, connection: bytes) -> None:
    with socket.create_connection((monolith.host, monolith.port), timeout=20) as client:
        client.sendall(head)
        received = client.recv(65536)
        assert connection in received
        assert received.count(b"connection:") == 1


@pytest.fixture(scope="module")
def development(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    database = tmp_path_factory.mktemp("development") / "monolith.sqlite3"
    with running_monolith(database, environ={"NODE_ENV": "development"}) as running:
        yield Client(running.host, running.port)


def test_outside_production_express_says_its_name_and_helmet_is_off(development: Client, anonymous: Client) -> None:
    outside, inside = development.get("/health").headers, anonymous.get("/health").headers
    assert outside["x-powered-by"] == "Express"
    assert "x-frame-options" not in outside
    assert (inside.get("x-powered-by"), inside["x-frame-options"]) == (None, "SAMEORIGIN")


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ({"cost": 1, "type": "hint", "data": {"text": ""}, "extra": 1}, ["property extra should not exist"]),
        ({"cost": 1, "type": "hint", "data": {"text": "", "more": 1}}, ["data.property more should not exist"]),
        ({"cost": -1, "type": "hint", "data": {"text": ""}}, ["cost must not be less than 0"]),
        ({"cost": 1, "type": "x", "data": {}}, ["type must be one of the following values: hint, validator",
                                                 "data.text must be a string"]),
    ],
)  # fmt: skip
def test_outside_production_a_refused_body_is_told_why(
    development: Client, body: dict[str, object], messages: list[str]
) -> None:
    answer = development.login("admin", "admin").post("/item", body)
    assert answer.json == {"statusCode": 400, "message": messages, "error": "Bad Request"}


def test_a_database_failure_is_terse_in_production_alone(development: Client, admin: Client) -> None:
    assert admin.post("/item/buy/abc").json == {"statusCode": 500, "message": "Internal Server Error"}
    assert development.login("admin", "admin").post("/item/buy/abc").json == {}


def test_metrics_count_requests_by_status_and_path_as_sent(anonymous: Client) -> None:
    anonymous.get("/NoWhere?x=1")
    answer = anonymous.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8; version=0.0.4"
    assert b'http_exceptions{method="GET",status="404",path="/NoWhere"} 1\n' in answer.content
    assert b'http_requests_count{method="GET",status="4XX",path="/NoWhere"} 1\n' in answer.content
