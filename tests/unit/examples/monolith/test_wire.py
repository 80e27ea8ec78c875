"""What neither recordings nor tests/parity compare: connections, development mode, metrics."""

import socket
from collections.abc import Iterator

import pytest

from tests.recordings.running import RunningMonolith, running_monolith
from tests.unit.examples.monolith.client import Client


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


def test_outside_production_express_says_its_name_and_helmet_is_off(development: Client) -> None:
    headers = development.get("/health").headers
    assert (headers["x-powered-by"], "x-frame-options" in headers) == ("Express", False)


def test_outside_production_a_refused_body_is_told_why(development: Client) -> None:
    body = {"cost": -1, "type": "x", "data": {"more": 1}, "extra": 1}
    assert development.login("admin", "admin").post("/item", body).json["message"] == [
        "property extra should not exist",
        "cost must not be less than 0",
        "type must be one of the following values: hint, validator",
        "data.property more should not exist",
        "data.text must be a string",
    ]


def test_metrics_count_requests_by_status_and_path_as_sent(anonymous: Client) -> None:
    anonymous.get("/NoWhere?x=1")
    answer = anonymous.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8; version=0.0.4"
    assert b'http_exceptions{method="GET",status="404",path="/NoWhere"} 1\n' in answer.content
    assert b'http_requests_count{method="GET",status="4XX",path="/NoWhere"} 1\n' in answer.content
