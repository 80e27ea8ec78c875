"""Gateways that share a rate limit in Redis, as processes of their own, and what their operators see."""

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parts.servers import redis as part
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get
from tests.http.origin import Script
from tests.http.stream import eventually

pytestmark = pytest.mark.connected
ROUTES = """
version: 1
services: {origin: {url: "http://127.0.0.1:${ORIGIN_PORT}"}}
routes:
  - {id: many, match: {path: "/many"}, legacy: origin, limit: {rate: "100/hour", by: credential}}
  - {id: few, match: {path: "/few"}, legacy: origin, limit: {rate: "2/hour", by: credential, unavailable: closed}}
  - {id: all, match: {path: "/{rest...}"}, legacy: origin}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[part.RedisServer]:
    with part.own(tmp_path) as server:
        yield server


@pytest.fixture
def two(start: Start, server: part.RedisServer, tmp_path: Path) -> list[GatewayProcess]:
    routes, url = tmp_path / "routes.yaml", tmp_path / "url"
    routes.write_text(ROUTES)
    url.write_text(server.url + "\n")
    more = {"STRANGLER_REDIS_URL_FILE": str(url), "STRANGLER_REDIS_TIMEOUT_S": "5"}
    return [start(routes=routes, **more) for _ in range(2)]


def shown(gateway: GatewayProcess, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/{page}", timeout=60) as answer:
        return str(answer.read().decode())


def statuses(gateway: GatewayProcess, target: bytes, count: int) -> list[int]:
    client = gateway.connect()
    return [client.ask(get(target, b"Authorization: Bearer shared")).status for _ in range(count)]


def test_two_gateways_allow_together_what_one_would(two: list[GatewayProcess], origin: Script) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = [
            status for each in threads.map(lambda one: statuses(one, b"/many", 40), [*two, *two]) for status in each
        ]
    assert (found.count(200), found.count(429), len(origin.requests)) == (100, 60, 100)
    assert [statuses(one, b"/", 1) for one in two] == [[200], [200]]


def test_redis_dies_and_comes_back_and_operators_see_both(
    two: list[GatewayProcess], server: part.RedisServer, origin: Script
) -> None:
    one, other = two
    assert [statuses(one, b"/few", 1), statuses(other, b"/few", 2)] == [[200], [200, 429]]
    assert json.loads(shown(one, "routes"))["limits"] == {
        "store": "redis",
        "redis": f"127.0.0.1:{server.port}",
        "problem": None,
    }
    server.kill()
    assert eventually(lambda: "strangler_redis_up 0" in shown(one, "metrics"))
    assert statuses(one, b"/few", 1) == [503]
    assert statuses(one, b"/many", 2) == [200, 200]
    assert json.loads(shown(one, "health/ready")) == {"status": "ready", "degraded": ["redis"]}
    assert json.loads(shown(one, "routes"))["limits"]["problem"]
    assert 'strangler_limit_unavailable_total{route="few"} 1' in shown(one, "metrics")
    server.start()
    for gateway in two:
        assert eventually(lambda gateway=gateway: "strangler_redis_up 1" in shown(gateway, "metrics"))  # type: ignore[misc]
    assert [statuses(one, b"/few", 1), statuses(other, b"/few", 2)] == [[200], [200, 429]]
    assert json.loads(shown(one, "health/ready")) == {"status": "ready"}
