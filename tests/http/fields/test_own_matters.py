"""What is the gateway's own: its ports, its log, its health (issue, parts 2 and 3; design.md §9)."""

import httpx

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, post
from tests.http.origin import Script

SECRET = b"s3cr3t-0f-a-us3r"


OWN_PATHS = [
    b"/health/live", b"/health/ready", b"/health", b"/metrics", b"/.well-known/jwks.json", b"/admin", b"/docs",
    b"/openapi.json", b"/favicon.ico", b"/robots.txt",
]  # fmt: skip


def test_nothing_of_the_gateways_own_is_served_to_clients(client: Client, origin: Script) -> None:
    for path in OWN_PATHS:
        assert client.ask(get(path)).status == 200
    assert [request.target for request in origin.requests] == OWN_PATHS


def test_a_request_id_is_made_or_the_clients_sound_one_kept_and_logged(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    for lines in ([], [], [b"X-Request-Id: abc-123"]):
        client.ask(get(b"/", *lines))
    first, second, third = (request.get(b"x-request-id") for request in origin.requests)
    assert first
    assert second
    assert first != second
    assert third == b"abc-123"
    assert gateway.logged("abc-123")


HOSTILE_IDS = [
    b'a"b', b"a\\b", b"{}", b"a b", b"x" * 5000, b"caf\xe9", b"a\tb", b"", b"\xe2\x80\xa8", b'","status":200,"x":"',
]  # fmt: skip


def test_a_hostile_request_id_does_not_get_into_the_log(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    """That each line of the log is JSON is looked at after every test."""
    for value in HOSTILE_IDS:
        client.ask(get(b"/", b"X-Request-Id: " + value))
    for request in origin.requests:
        sent = request.get(b"x-request-id")
        assert sent
        assert gateway.logged(sent.decode())


WITH_SECRETS = [
    get(b"/?token=" + SECRET, b"Authorization: Bearer " + SECRET, b"Cookie: session=" + SECRET),
    get(b"/refusing/a?token=" + SECRET, b"Authorization: " + SECRET, b"Cookie: " + SECRET),
    get(b"/members/a?token=" + SECRET, b"Authorization: Bearer " + SECRET),
    get(b"/ws?token=" + SECRET, b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: " + SECRET),
    message(b"GET /?token=" + SECRET + b" HTTP/1.1", b"Host: a@" + SECRET),
    message(b"GET /" + SECRET + b"#f HTTP/1.1", HOST, b"Authorization: " + SECRET),
    message(b"GET / HTTP/1.1", HOST, b"Bad Name: " + SECRET),
    post(b"/", b"Content-Length: " + SECRET, body=SECRET),
    get(b"/", b"Strangler-Debug: " + SECRET),
]


def test_no_secret_of_a_request_is_logged_or_told(gateway: GatewayProcess, origin: Script) -> None:
    for raw in WITH_SECRETS:
        answer = gateway.connect().ask(raw)
        assert SECRET not in answer.raw + answer.body
    gateway.connect().ask(get(b"/", b"X-Request-Id: after-the-secrets"))
    gateway.logged("after-the-secrets")
    assert not [line for line in gateway.lines if SECRET.decode() in line]


def test_health_is_told_on_the_admin_port(gateway: GatewayProcess) -> None:
    base = f"http://127.0.0.1:{gateway.admin_port}"
    assert httpx.get(base + "/health/live").status_code == 200
    assert httpx.get(base + "/health/ready").status_code == 200
