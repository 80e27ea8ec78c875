"""`serialize: user` over gateways that are processes of their own: never two writes of a user at the upstream."""

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from parts.servers import redis as part
from strangler_gateway.steps.serialize import WAIT_S
from strangler_gateway.turns.shared import FRESH_S
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.http.message import ok, post
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S, eventually

pytestmark = pytest.mark.connected
KEY = "a-key-of-this-test-and-of-nothing-else-at-all"
WRITES, CLIENTS = 200, 20
ROUTES = """
version: 1
services: {origin: {url: "http://127.0.0.1:${ORIGIN_PORT}"}}
identity: {jwt: {key_env: TURNS_KEY, algorithms: [HS256]}}
groups:
  points: {state: extracted, serialize: user}
routes:
  - {id: buy, match: {methods: [POST], path: "/buy"}, group: points, legacy: origin, extracted: origin}
  - {id: all, match: {path: "/{rest...}"}, legacy: origin}
"""


def write(user: str) -> bytes:
    claims = {"sub": user, "exp": int(time.time()) + 600}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(KEY)).encode()
    return post(b"/buy", b"Authorization: Bearer " + token, b"X-Writer: " + user.encode())


class Upstream:
    """Answers a write when the test lets it; `most`: how many of one user were in flight together."""

    def __init__(self, script: Script) -> None:
        self.go = threading.Event()
        self.go.set()
        self.most = 0
        self.began: Counter[str] = Counter()
        self._flying: Counter[str] = Counter()
        self._lock = threading.Lock()
        script.answers(self._handle)

    def _handle(self, call: Call) -> None:
        user = (call.request.get(b"x-writer") or b"").decode()
        with self._lock:
            self.began[user] += 1
            self._flying[user] += 1
            self.most = max(self.most, self._flying[user])
        assert self.go.wait(DEADLINE_S)
        call.body()
        with self._lock:
            self._flying[user] -= 1
        call.send(ok())


def shown(gateway: GatewayProcess, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/{page}", timeout=60) as answer:
        return str(answer.read().decode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[part.RedisServer]:
    with part.own(tmp_path) as server:
        yield server


@pytest.fixture
def two(start: Start, server: part.RedisServer, tmp_path: Path) -> list[GatewayProcess]:
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    return [start(routes=routes, STRANGLER_REDIS_URL=server.url, TURNS_KEY=KEY) for _ in range(2)]


@pytest.fixture
def traffic(origin: Script) -> Upstream:
    return Upstream(origin)


def test_two_gateways_let_one_write_of_a_user_pass_at_a_time(two: list[GatewayProcess], traffic: Upstream) -> None:
    def writes(number: int) -> list[int]:
        client = two[number % 2].connect()
        return [client.ask(write("alice")).status for _ in range(WRITES // CLIENTS)]

    with ThreadPoolExecutor(CLIENTS) as clients:
        statuses = [status for each in clients.map(writes, range(CLIENTS)) for status in each]
    assert (statuses, traffic.most) == ([200] * WRITES, 1)


def test_a_write_in_flight_keeps_its_turn_while_redis_is_killed_and_comes_back(
    two: list[GatewayProcess], server: part.RedisServer, traffic: Upstream
) -> None:
    """The new Redis has forgotten it; meanwhile nobody writes."""
    one, other = (gateway.connect() for gateway in two)
    traffic.go.clear()
    one.send(write("alice"))
    assert eventually(lambda: traffic.began["alice"] == 1, FRESH_S + DEADLINE_S)
    server.kill()
    assert eventually(lambda: other.ask(write("alice")).status == 503)
    assert eventually(lambda: json.loads(shown(two[0], "routes"))["serialize"]["problem"])
    began = time.monotonic()
    assert two[0].connect().ask(write("alice")).status == 503
    assert time.monotonic() - began < WAIT_S / 2, "nobody waits for Redis behind a write that has its turn"
    refused = other.ask(write("bob"))
    assert (refused.status, refused.get(b"retry-after"), traffic.began["bob"]) == (503, b"1", 0)
    assert json.loads(shown(two[1], "health/ready")) == {"status": "ready", "degraded": ["redis"]}
    assert 'strangler_serialize_unavailable_total{route="buy"} 0' not in shown(two[1], "metrics")
    server.start()
    waiting = two[1].connect()
    assert eventually(lambda: json.loads(shown(two[1], "routes"))["serialize"] == {"problem": None})
    waiting.send(write("alice"))
    assert not eventually(lambda: traffic.began["alice"] > 1, FRESH_S + 1)
    traffic.go.set()
    assert [client.answer(b"POST").status for client in (one, waiting)] == [200, 200]
    assert (traffic.most, traffic.began["alice"]) == (1, 2)
