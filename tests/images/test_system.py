"""compose.yaml as an operator starts it: hardened containers, requests in legacy and after a flip, and the stop."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from images.engine import Engine
from tests.images.containers import COMPOSE, ONCE, SERVING, System, eventually, running

pytestmark = pytest.mark.images

ITEM = "11111111-1111-4111-8111-111111111111"
ALICE = ("alice@example.org", "alice-secret")
STOPS_WITHIN_S = 30.0
"""Less than `stop_grace_period`."""


@pytest.fixture(scope="module")
def system(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(engine, tmp_path_factory.mktemp("compose")) as system:
        yield system


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url, trust_env=False, timeout=30) as client:
        yield client


def logged_in(client: httpx.Client, identity: str, secret: str) -> Mapping[str, str]:
    answer = client.post("/auth/token", json={"grantType": "implicit", "identity": identity, "secret": secret})
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['data']['accessToken']}"}


def strangler(system: System, *words: str) -> str:
    return system.container("gateway").execute("strangler", *words)


def route(system: System, route_id: str) -> Any:
    routes = json.loads(strangler(system, "routes", "--json"))["routes"]
    return next(route for route in routes if route["id"] == route_id)


def extract(system: System, group: str, *, shadow: bool = True) -> None:
    """`--force`: nobody has called yet."""
    for step in ([["shadow"]] if shadow else []) + [["canary", "--share", "100"], ["extracted"]]:
        strangler(system, "flip", group, "--to", *step, "--why", "a test", "--force")


def mailed(system: System, address: str) -> bool:
    return system.container("mailbox").can("grep", "-rq", address, "/var/lib/mailbox")


@pytest.mark.parametrize("service", SERVING)
def test_a_container_is_confined(system: System, service: str) -> None:
    container = system.container(service)
    assert container.execute("id", "-u").strip() == "10001"
    status = container.execute("cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (int(fields["CapEff"], 16), int(fields["CapBnd"], 16), fields["NoNewPrivs"].strip()) == (0, 0, "1")
    assert not container.can("touch", "/app/file")
    assert not container.can("touch", "/etc/strangler/file")


@pytest.mark.parametrize("service", sorted(ONCE))
def test_the_tables_are_made_before_the_service_starts(system: System, service: str) -> None:
    state = system.container(service).inspect()["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


def test_only_the_gateway_has_ports_and_the_admin_port_is_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in COMPOSE.items() if "ports" in service}
    assert ports.keys() == {"gateway"}
    assert [port for port in ports["gateway"] if port.endswith(":8081")] == [
        "127.0.0.1:${GATEWAY_ADMIN_PORT:-8081}:8081"
    ]


def test_the_admin_port_shows_keys_and_metrics_and_nothing_else_without_a_credential(system: System) -> None:
    admin = f"http://127.0.0.1:{system.admin_port}"
    answers = {path: httpx.get(admin + path, trust_env=False).status_code for path in ("/metrics", "/routes")}
    assert answers == {"/metrics": 200, "/routes": 401}
    assert httpx.get(f"{admin}/.well-known/jwks.json", trust_env=False).json()["keys"]


def test_the_service_answers_as_the_monolith_and_a_restart_keeps_the_flip(system: System, client: httpx.Client) -> None:
    admin = logged_in(client, "admin", "admin")
    before = client.get("/item", headers=admin)
    extract(system, "items")
    after = client.get("/item", headers=admin)
    assert (before.status_code, before.json()) == (after.status_code, after.json()) == (200, after.json())
    counted = route(system, "item-list")
    assert (counted["requests"]["extracted"], counted["errors"]["extracted"], counted["failovers"]) == (1, 0, 0)
    gateway = system.container("gateway")
    system.engine.run("restart", gateway.id)
    gateway.becomes_healthy()
    assert route(system, "item-list")["state"] == "extracted"
    assert client.get("/item", headers=admin).json() == before.json()


def test_a_purchase_goes_through_the_broker_to_both_services(system: System, client: httpx.Client) -> None:
    extract(system, "points", shadow=False)
    alice = logged_in(client, *ALICE)
    bought = client.post("/purchases", json={"itemId": ITEM}, headers=alice)
    assert bought.status_code == 204, bought.text

    def completed() -> bool:
        return bool(client.get(bought.headers["Location"], headers=alice).json()["data"]["state"] == "COMPLETED")

    eventually(completed, "the purchase completed")


@pytest.mark.parametrize("side", ["legacy", "extracted"])
def test_a_sign_up_sends_its_mail(system: System, client: httpx.Client, side: str) -> None:
    """From the monolith by SMTP, from Account by the broker."""
    if side == "extracted":
        extract(system, "users")
    address = f"{side}@example.org"
    body = {"username": side, "email": address, "password": "a-password-of-dora"}
    assert client.post("/user", json=body).status_code == 201
    eventually(lambda: mailed(system, address), f"a mail to {address}")


def test_no_log_has_a_secret(system: System, client: httpx.Client) -> None:
    token = logged_in(client, *ALICE)["Authorization"].removeprefix("Bearer ")
    client.get("/user/@me", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
    names = ("jwt-secret", "operator-token", "internal-token")
    known = [*(system.secret(name) for name in names), ALICE[1], "a-password-of-dora", token, token.split(".")[2]]
    logs = {service: system.container(service).log() for service in (*SERVING, *ONCE)}
    assert '"route"' in logs["gateway"]
    assert [service for service, log in logs.items() if any(secret in log for secret in known)] == []


def test_zz_every_container_ends_by_itself_within_its_grace_period(system: System) -> None:
    """The last one: nothing runs after it."""
    begun = time.monotonic()
    system.compose("stop")
    assert time.monotonic() - begun < STOPS_WITHIN_S
    ended = {service: system.container(service).inspect()["State"]["ExitCode"] for service in SERVING}
    assert ended == dict.fromkeys(SERVING, 0)
