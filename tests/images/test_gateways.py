"""Two gateways of compose.yaml that act as one: a flip at one is served by both, and the death of one costs nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import httpx
import pytest

from images.engine import Engine
from tests.images.containers import System, eventually, running
from tests.images.test_system import logged_in

pytestmark = pytest.mark.images

NEEDED = ("postgres", "mongo", "rabbitmq", "redis", "consul", "monolith", "shop-tables", "shop")
BOTH = {"gateway": "GATEWAY_PORT", "gateway-2": "GATEWAY_2_PORT"}
NO_NAME_SERVER = "192.0.2.1"
"""An address for documentation (RFC 5737): nobody has it."""


@pytest.fixture(scope="module")
def system(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("gateways")
    with running(engine, folder, *NEEDED, *BOTH, options=("--env-file", "deploy/gateways.env")) as system:
        eventually(lambda: _shown(system)["agreed"], "each gateway has reported to Consul")
        yield system


def _shown(system: System, gateway: str = "gateway") -> Any:
    return json.loads(system.strangler("gateways", "--json", gateway=gateway))


def _state(system: System, gateway: str) -> str:
    return str(system.route("item-list", gateway)["state"])


def _items(system: System, gateway: str) -> httpx.Response:
    """After a log-in at the same gateway, which goes to the monolith and is never sent twice."""
    with httpx.Client(base_url=system.url(BOTH[gateway]), trust_env=False, timeout=30) as client:
        return client.get("/item", headers=logged_in(client, "admin", "admin"))


@contextmanager
def _without_a_name_server(system: System, gateway: str) -> Iterator[None]:
    """The container's own view of its resolv.conf is read-only, so another one changes it."""
    folder = PurePosixPath(system.container(gateway).inspect()["ResolvConfPath"]).parent
    options = ("--rm", "--user=0", "--network=none", f"--volume={folder}:/of-it", "--workdir=/of-it", "--entrypoint=sh")

    def change(script: str) -> None:
        system.engine.run("run", *options, "polycode-gateway", "-c", script)

    change(f"cp resolv.conf before && echo nameserver {NO_NAME_SERVER} >resolv.conf")
    try:
        yield
    finally:
        change("cat before >resolv.conf && rm before")


@pytest.mark.parametrize("gateway", BOTH)
def test_each_gateway_lists_both(system: System, gateway: str) -> None:
    assert {each["name"] for each in _shown(system, gateway)["gateways"]} == {*BOTH}


def test_a_flip_at_one_is_served_by_both(system: System) -> None:
    system.extract("items")
    answers = [_items(system, gateway) for gateway in BOTH]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert system.route("item-list")["requests"]["extracted"] == 2
    assert [_state(system, gateway) for gateway in BOTH] == ["extracted", "extracted"]


def test_services_that_were_called_before_are_found_without_a_name_server(system: System) -> None:
    assert _items(system, "gateway-2").status_code == 200
    with _without_a_name_server(system, "gateway-2"):
        assert _items(system, "gateway-2").status_code == 200


def test_when_one_is_killed_the_other_serves_and_rolls_back_and_the_first_follows(system: System) -> None:
    first = system.container("gateway")
    system.engine.run("kill", first.id)
    assert _items(system, "gateway-2").status_code == 200
    system.engine.run("restart", system.container("shop").id)
    eventually(lambda: _is_served(system, "gateway-2"), "a service that starts now finds the keys at the other one")
    system.strangler("rollback", "items", gateway="gateway-2")
    assert (_state(system, "gateway-2"), _items(system, "gateway-2").status_code) == ("legacy", 200)
    system.engine.run("start", first.id)
    first.becomes_healthy()
    eventually(lambda: _state(system, "gateway") == "legacy", "the first gateway serves what was decided without it")
    eventually(lambda: _is_served(system, "gateway"), "the first gateway finds the services")


def _is_served(system: System, gateway: str) -> bool:
    """A new process knows no address yet, and Podman's name server loses questions when a container starts."""
    try:
        return _items(system, gateway).status_code == 200
    except httpx.HTTPStatusError:
        return False
