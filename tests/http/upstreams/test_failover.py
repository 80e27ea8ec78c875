"""A new end that is away, in canary: a safe request goes to legacy, counted; a write never (design.md §4)."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok
from tests.http.origin import Origin, Script, Watch, listen
from tests.http.stream import DEADLINE_S

AWAY = ("refused", "unanswered", "hung-up")
COUNTED_BODY = b"Content-Length: 5\r\n\r\nhello"
CHUNKED_BODY = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
COUNTED = 'strangler_failovers_total{route="refused"} '


@pytest.fixture(scope="session")
def hanging_up() -> Iterator[Origin]:
    """A service that takes a request and closes without a word."""
    service = Origin(listen())
    yield service
    service.close()


@pytest.fixture
def service(hanging_up: Origin) -> Script:
    script = hanging_up.begin()
    script.lints = False
    script.answers(lambda call: call.close())
    return script


@pytest.fixture
def moving(share: Start, hanging_up: Origin) -> GatewayProcess:
    routes = Path(__file__).with_name("routes_failover.yaml")
    return share("failover", routes=routes, HANGING_UP_PORT=str(hanging_up.port))


@pytest.fixture
def client(moving: GatewayProcess, service: Script) -> Client:
    return moving.connect()


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
@pytest.mark.parametrize("how", AWAY)
def test_a_safe_request_is_answered_by_legacy(client: Client, origin: Script, how: str, method: bytes) -> None:
    target = b"/%b/%b?x=%%2F" % (how.encode(), method)
    origin.answers(ok(b"X-From: legacy"))
    said = (b"Authorization: Bearer mine", b"X-User: me")
    answer = client.ask(message(method + b" " + target + b" HTTP/1.1", HOST, *said), method)
    assert (answer.status, answer.get(b"x-from")) == (200, b"legacy")
    assert origin.only.target == target
    assert [origin.only.get(name) for name in (b"authorization", b"x-user")] == [b"Bearer mine", b"me"]


@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize("rest", [b"\r\n", COUNTED_BODY, CHUNKED_BODY], ids=["no body", "counted", "chunked"])
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_write_or_a_get_with_a_body_never_goes_to_legacy_instead(
    client: Client, origin: Script, how: str, method: bytes, rest: bytes
) -> None:
    start = b"%b /%b/w" % (method, b"moved" if (method, rest) == (b"GET", b"\r\n") else how.encode())
    answer = client.ask(b"%b HTTP/1.1\r\n%b\r\n%b" % (start, HOST, rest))  # /moved is outside canary
    assert answer.status in (502, 504)
    assert answer.error is not None
    assert not origin.requests


def test_a_legacy_that_is_away_as_well_is_told_once(client: Client, origin: Script) -> None:
    origin.fresh()
    origin.answers(lambda call: call.close())
    answer = client.ask(get(b"/refused/both"))
    assert (answer.status, answer.error) == (502, b"connection_terminated")
    assert len(origin.requests) == 1


def test_it_is_counted_and_the_connection_goes_on(client: Client, moving: GatewayProcess, origin: Script) -> None:
    origin.answers(ok())
    before = counted(moving)
    for number in range(3):
        assert client.ask(get(b"/refused/%d" % number)).status == 200
    assert counted(moving) - before == 3


def test_a_client_that_leaves_after_it_ends_the_call_to_legacy_C2(client: Client, origin: Script) -> None:
    watch = Watch()
    origin.answers(watch)
    client.send(get(b"/refused/leave"))
    assert watch.seen.wait(DEADLINE_S)
    client.close()
    assert watch.left.wait(DEADLINE_S)


def counted(gateway: GatewayProcess) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=DEADLINE_S) as answer:
        text = answer.read().decode()
    found = [line.removeprefix(COUNTED) for line in text.splitlines() if line.startswith(COUNTED)]
    return int(found[0]) if found else 0
