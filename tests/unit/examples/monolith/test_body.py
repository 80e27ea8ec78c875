"""Reading bodies, where tests/parity does not compare it: limits, chunks, and the connection after a refusal."""

import json
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from tests.recordings.running import RunningMonolith
from tests.unit.examples.monolith.client import JSON, Client

LIMIT = 102_400
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_bad_body_comes_before_a_bad_token(anonymous: Client) -> None:
    assert anonymous.ask("POST", "/item", JSON | {"Authorization": "Bearer x"}, b"{").status == 400
    assert anonymous.ask("POST", "/item", JSON | {"Authorization": "Bearer x"}, b"{}").status == 403


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 404), (LIMIT + 1, 413)])
def test_a_body_may_have_100_kib(anonymous: Client, size: int, status: int) -> None:
    body = json.dumps("x").join(["[", "]"]).encode().ljust(size)
    assert anonymous.ask("POST", "/nowhere", JSON, body).status == status
    assert anonymous.ask("POST", "/nowhere", JSON, iter([body[:50_000], body[50_000:]])).status == status


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/merge+json", "application/json;", "application/json; charset",
     "application/json; charset="],
)  # fmt: skip
def test_a_body_of_another_type_is_an_empty_object(admin: Client, kind: str, new_item: Callable[..., str]) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = admin.ask("PATCH", f"/item/{new_item(cost=3)}", headers, b'{"cost": 4}')
    assert (answer.status, answer.data["cost"]) == (200, 3)


@pytest.mark.parametrize(
    ("headers", "body"),
    [(FORM, b"a" + b"[b]" * 30_000), (JSON, b"[" * 40_000), (JSON, b"[" * 40_000 + b"]" * 40_000),
     (JSON, b'{"a":' * 10_000)],
)  # fmt: skip
def test_a_deeply_nested_body_is_an_ordinary_bad_request(
    anonymous: Client, headers: dict[str, str], body: bytes
) -> None:
    assert anonymous.ask("POST", "/user", headers, body).status == 400


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
