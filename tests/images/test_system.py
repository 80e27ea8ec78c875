"""compose.yaml as an operator starts it: hardened containers, PolyCode's journeys on the real servers, and the stop."""

from collections.abc import Iterator, Mapping

import httpx
import pytest

from images.engine import Engine
from tests.images.containers import COMPOSE, ONCE, SERVING, System, eventually, running

pytestmark = pytest.mark.images

ITEM = "11111111-1111-4111-8111-111111111111"
ALICE = ("alice@example.org", "alice-secret")


@pytest.fixture(scope="module")
def system(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(engine, tmp_path_factory.mktemp("compose")) as system:
        yield system


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url(), trust_env=False, timeout=30) as client:
        yield client


def logged_in(client: httpx.Client, identity: str, secret: str) -> Mapping[str, str]:
    answer = client.post("/auth/token", json={"grantType": "implicit", "identity": identity, "secret": secret})
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['data']['accessToken']}"}


def mailed(system: System, address: str) -> bool:
    return system.container("mailbox").can("grep", "-rq", address, "/var/lib/mailbox")


@pytest.mark.parametrize("service", SERVING)
def test_a_container_is_confined(system: System, service: str) -> None:
    container = system.container(service)
    assert container.execute("id", "-u").strip() == COMPOSE[service].get("user", "10001").partition(":")[0]
    status = container.execute("cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (int(fields["CapEff"], 16), int(fields["CapBnd"], 16), fields["NoNewPrivs"].strip()) == (0, 0, "1")
    (root,) = [line.split()[3] for line in container.execute("cat", "/proc/1/mounts").splitlines() if " / " in line]
    assert "ro" in root.split(",")


@pytest.mark.parametrize("service", sorted(ONCE))
def test_the_tables_are_made_once(system: System, service: str) -> None:
    """Before the service starts, if the engine waits for health (tests/unit/images looks at what waits for what)."""

    def made() -> bool:
        state = system.container(service).inspect()["State"]
        return (state["Status"], state["ExitCode"]) == ("exited", 0)

    eventually(made, f"{service} has ended with 0")
    assert "are up to date" in system.container(service).log()


def test_only_the_gateway_has_ports_and_all_are_on_loopback(system: System) -> None:
    assert [name for name, service in COMPOSE.items() if "ports" in service] == ["gateway"]
    bound = system.container("gateway").inspect()["NetworkSettings"]["Ports"]
    assert {port: {each["HostIp"] for each in published} for port, published in bound.items()} == {
        "8080/tcp": {"127.0.0.1"},
        "8081/tcp": {"127.0.0.1"},
    }


@pytest.mark.parametrize(("name", "port"), [("postgres", 5432), ("mongo", 27017), ("rabbitmq", 5672), ("redis", 6379)])
def test_the_runner_reaches_its_callers_and_no_server(system: System, name: str, port: int) -> None:
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    runner = system.container("runner")
    assert runner.can("python", "-c", connect, "learning", "8106")
    networks = system.container(name).inspect()["NetworkSettings"]["Networks"].values()
    (address,) = [each["IPAddress"] for each in networks]
    assert not runner.can("python", "-c", connect, address, str(port))


def test_the_admin_port_shows_keys_and_metrics_and_nothing_else_without_a_credential(system: System) -> None:
    admin = f"http://127.0.0.1:{system.ports['GATEWAY_ADMIN_PORT']}"
    answers = {path: httpx.get(admin + path, trust_env=False).status_code for path in ("/metrics", "/routes")}
    assert answers == {"/metrics": 200, "/routes": 401}
    assert httpx.get(f"{admin}/.well-known/jwks.json", trust_env=False).json()["keys"]


def test_the_service_answers_as_the_monolith_and_a_restart_keeps_the_flip(system: System, client: httpx.Client) -> None:
    admin = logged_in(client, "admin", "admin")
    before = client.get("/item", headers=admin)
    system.extract("items")
    after = client.get("/item", headers=admin)
    assert (before.status_code, before.json()) == (after.status_code, after.json()) == (200, after.json())
    counted = system.route("item-list")
    assert (counted["requests"]["extracted"], counted["errors"]["extracted"], counted["failovers"]) == (1, 0, 0)
    gateway = system.container("gateway")
    system.engine.run("restart", gateway.id)
    gateway.becomes_healthy()
    assert system.route("item-list")["state"] == "extracted"
    eventually(lambda: client.get("/item", headers=admin).json() == before.json(), "the new process finds the services")


def test_a_purchase_goes_through_the_broker_to_both_services(system: System, client: httpx.Client) -> None:
    system.extract("points", shadow=False)
    alice = logged_in(client, *ALICE)
    bought = client.post("/purchases", json={"itemId": ITEM}, headers=alice)
    assert bought.status_code in (202, 204), bought.text  # 202: a busy machine did not know the end in time

    def completed() -> bool:
        return "COMPLETED" in client.get(bought.headers["Location"], headers=alice).text

    eventually(completed, "the purchase completed")


@pytest.mark.parametrize("side", ["legacy", "extracted"])
def test_a_sign_up_sends_its_mail(system: System, client: httpx.Client, side: str) -> None:
    """From the monolith by SMTP, from Account by the broker."""
    if side == "extracted":
        system.extract("users")
    address = f"{side}@example.org"
    body = {"username": side, "email": address, "password": "a-password-of-dora"}
    assert client.post("/user", json=body).status_code == 201
    eventually(lambda: mailed(system, address), f"a mail to {address}")


def test_a_log_in_at_account_is_good_for_both_sides(system: System, client: httpx.Client) -> None:
    system.extract("sign-in")
    bob = logged_in(client, "bob@example.org", "bob-secret")
    assert system.route("login")["requests"]["extracted"] == 1
    assert client.get("/user/@me", headers=bob).json()["data"]["username"] == "bob"
    assert client.get("/team", headers=bob).status_code == 200


def test_submitted_code_runs_and_its_reward_is_paid(system: System, client: httpx.Client) -> None:
    """The monolith stores the exercise, Learning has the code run, Account pays."""
    case = {"isHidden": False, "input": {"stdin": ["2"]}, "expected": {"stdout": ["4"]}}
    root = {"type": "container", "data": {"components": [{"type": "editor", "data": {"validators": [case]}}]}}
    exercise = {"name": "Twice", "description": "a number", "type": "exercise", "reward": 30, "data": {}}
    sent = client.post("/content", json=exercise | {"rootComponent": root}, headers=logged_in(client, "admin", "admin"))
    made = sent.raise_for_status().json()["data"]
    system.extract("learning")
    carol = logged_in(client, "carol@example.org", "carol-secret")
    component = made["rootComponent"]["data"]["components"][0]["id"]
    code = {"language": "PYTHON", "code": "print(2 * int(input()))", "contentId": made["id"], "componentId": component}
    answer = client.post("/submission", json=code, headers=carol)
    assert (answer.status_code, answer.json()["data"]["success"]) == (201, True), answer.text
    eventually(lambda: client.get("/user/@me", headers=carol).json()["data"]["points"] == 30, "the reward is paid")


def test_no_log_has_a_secret(system: System, client: httpx.Client) -> None:
    token = logged_in(client, *ALICE)["Authorization"].removeprefix("Bearer ")
    mine = {"Authorization": f"Bearer {token}", "X-Request-Id": "the-last-one"}
    client.get("/user/@me", headers=mine).raise_for_status()
    gateway = system.container("gateway")
    eventually(lambda: "the-last-one" in gateway.log(), "the gateway's line of the last request")
    names = ("jwt-secret", "operator-token", "internal-token", "postgres-password", "rabbitmq-password")
    known = [*(system.secret(name) for name in names), ALICE[1], "a-password-of-dora", token, token.split(".")[2]]
    logs = {service: system.container(service).log() for service in (*SERVING, *ONCE)}
    assert [service for service, log in logs.items() if any(secret in log for secret in known)] == []


def test_zz_every_container_ends_by_itself_within_its_grace_period(system: System) -> None:
    """The last one: nothing runs after it. Who has to be killed ends with 137."""
    system.compose("stop")
    ended = {service: system.container(service).inspect()["State"]["ExitCode"] for service in SERVING}
    assert ended == dict.fromkeys(SERVING, 0)
