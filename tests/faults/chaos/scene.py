"""All processes of `make chaos`: Consul, Redis, monolith, three instances, their registrar, two gateways."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from parts.fresh import fresh_name
from parts.ports import free_port
from parts.servers import consul, redis
from tests.faults.chaos.audit import Hold, Seen
from tests.faults.chaos.traffic import Traffic
from tests.support.gateway.many import Many, OneOfMany
from tests.support.system.processes import Process
from tests.support.system.waiting import until

GATEWAYS, INSTANCES = 2, 3
KEY = "a-key-of-this-run-and-of-nothing-else-at-all"
ROUTES = """\
version: 1
services:
  monolith: {url: "http://127.0.0.1:%d"}
  shop:
    discover: "consul://shop"
    health: /health
    timeout_s: {connect: 1, response: 3}
    balance: {slow_start_s: 1, eject: {out_s: 4}}
identity: {jwt: {key_env: CHAOS_KEY, algorithms: [HS256]}}
groups:
  items: {state: legacy, salt: chaos, data: shared, serialize: user}
routes:
  - id: item
    group: items
    match: {methods: [GET], path: "/items/{id}"}
    legacy: monolith
    extracted: shop
    shadow: {pure: true}
  - {id: write, group: items, match: {methods: [POST], path: "/items/{id}"}, legacy: monolith, extracted: shop}
  - {id: rest, match: {path: "/{rest...}"}, legacy: monolith}
"""
SETTLED_WITHIN_S = 60.0


def token(user: str) -> str:
    """The credential of a user."""
    claims = {"sub": user, "exp": int(time.time()) + 24 * 3600}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(KEY))


class ChaosGateways(Many):
    """Each stays at its ports, and hands over to its successor."""

    def __init__(self, folder: Path, server: consul.ConsulServer, routes: str, **settings: str) -> None:
        self._text = routes
        super().__init__(folder, server, fresh_name(), GATEWAYS, CHAOS_KEY=KEY, **settings)
        for one in self.gateways:
            one.options += ["--port", str(free_port()), "--reuse-port"]

    def write(self, one: OneOfMany, *_: object, **__: object) -> None:
        """Its routes file, which stays as it is."""
        one.routes.write_text(self._text)


@dataclass
class Scene:
    """`instances`: those that are on the registrar's list."""

    folder: Path
    consul: consul.ConsulServer
    redis: redis.RedisServer
    many: ChaosGateways
    registrar: Process
    instances: list[Process]
    traffic: Traffic
    refused: list[str] = field(default_factory=list)
    """What was said to moves that were asked for again."""
    holds: list[Hold] = field(default_factory=list)
    killed: list[tuple[str, float, float]] = field(default_factory=list)
    failing: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def gateways(self) -> list[OneOfMany]:
        return self.many.gateways

    def instance(self, name: str) -> Process:
        """A new one that runs, and is not registered."""
        return _upstream(self.folder, name).start()

    def enlist(self) -> None:
        """Tells the registrar what runs."""
        lines = [
            {"service": "shop", "host": "127.0.0.1", "port": one.port, "health": "/health"} for one in self.instances
        ]
        written = self.folder / "instances.written"
        written.write_text("".join(json.dumps(line) + "\n" for line in lines))
        written.replace(self.folder / "instances.jsonl")

    def position(self) -> set[str]:
        """What the gateways serve: one position, if they agree. Empty: one of them does not say."""
        try:
            told = [(one.serves, one.ask("GET", "gateways")[1]) for one in self.gateways]
        except (httpx.HTTPError, ValueError, KeyError):
            return set()
        if not all(shown["agreed"] and shown["store"]["away_since"] is None for _, shown in told):
            return set()
        return {state for state, _ in told}

    def agree(self, on: str | None = None, within_s: float = SETTLED_WITHIN_S) -> str:
        """All serve the same, know it, and reach the store (S2)."""

        def agreed() -> str | None:
            found = self.position()
            return found.pop() if len(found) == 1 and (on is None or found == {on}) else None

        return str(until(agreed, f"the gateways agree on {on or 'one position'}", within_s))

    def rollback(self, one: OneOfMany) -> float:
        """From here on nobody who was reached may serve forward. Returns how long the answer took."""
        began = time.monotonic()
        status, answer = one.ask("POST", "rollback", unit="items", who=one.name, why="chaos")
        assert status == httpx.codes.OK, answer
        answered = time.monotonic()
        reached = [one.name, *(row["name"] for row in answer.get("gateways", ()) if row.get("reached"))]
        self.holds += [Hold(name, answered) for name in reached]
        return answered - began

    def release(self) -> None:
        """Ends every hold."""
        now = time.monotonic()
        for hold in self.holds:
            hold.until = min(hold.until, now)
        self._moved(self.gateways[0].release)

    def forward(self, share: float = 50) -> None:
        """Into canary with this share, from wherever it is."""
        at = self.agree()
        if at.endswith("held"):
            self.release()
            at = self.agree("legacy")
        if at == "legacy":
            self._moved(lambda: self.gateways[0].flip("shadow"))
            at = self.agree("shadow")
        if at != f"canary {share:g}":
            self._moved(lambda: self.gateways[0].flip("canary", share))
        self.agree(f"canary {share:g}")

    def _moved(self, move: Callable[[], dict[str, Any]]) -> None:
        """A move that is refused is asked for again: all gateways must have said what they serve."""
        began, answer = time.monotonic(), move()
        while not answer["done"]:
            assert time.monotonic() - began < SETTLED_WITHIN_S, f"a move is refused: {answer}"
            self.refused.append(str(answer["refusals"]))
            time.sleep(0.2)
            answer = move()

    def replace(self, one: OneOfMany) -> None:
        """A new process takes over from the one that runs."""
        before = one.running
        one.start()
        assert before.ends(60) == 0, f"{one.name}: the process before did not end in order"

    def repair(self) -> None:
        """Whatever an event left behind."""
        self.consul.resume()
        self.consul.start()
        self.redis.start()
        for one in self.gateways:
            one.heal()
            one.admin_line.heal()
            if not one.running.alive:
                one.start()
        for instance in self.instances:
            if instance.is_running:
                instance.go_on()
                tell(instance, "well")
            else:
                instance.start()
        self.enlist()

    def end_instances(self) -> None:
        for one in self.instances:
            one.kill()

    def seen(self) -> Seen:
        """For the audit."""
        arrived = Counter((self.folder / "arrivals").read_text().split())
        return Seen(self.traffic.began, self.traffic.sent, arrived, self.holds, self.killed, self.failing)


def tell(instance: Process, mode: str) -> None:
    """How it behaves from now on."""
    httpx.put(f"http://127.0.0.1:{instance.port}/chaos/{mode}", timeout=60, trust_env=False).raise_for_status()


def _upstream(folder: Path, name: str) -> Process:
    module = ("tests.faults.chaos.instance", name, str(free_port()), str(folder / "arrivals"))
    return Process(name, module, {}, folder / f"{name}.log")


@contextlib.contextmanager
def started(folder: Path, seed: int) -> Iterator[Scene]:
    """Everything runs, and the group is in canary. Ends all processes."""
    with contextlib.ExitStack() as stack:
        (folder / "arrivals").touch()
        server = stack.enter_context(consul.own(folder))
        turns = stack.enter_context(redis.own(folder))
        monolith = _upstream(folder, "monolith")
        instances = [_upstream(folder, f"shop-{number + 1}") for number in range(INSTANCES)]
        for process in (monolith, *instances):
            stack.callback(process.kill)
            process.launch()
        for process in (monolith, *instances):
            process.listening()
        many = ChaosGateways(folder, server, ROUTES % monolith.port, STRANGLER_REDIS_URL=turns.url)
        registrar = _registrar(folder, server)
        stack.callback(registrar.kill)
        traffic = Traffic({}, token, seed)
        scene = Scene(folder, server, turns, many, registrar, instances, traffic)
        stack.callback(scene.end_instances)
        scene.enlist()
        registrar.launch()
        until(lambda: passing(scene) == INSTANCES, "the instances are registered")
        stack.enter_context(many)
        traffic.ports = {one.name: one.running.port for one in many.gateways}
        scene.forward()
        yield scene


def _registrar(folder: Path, server: consul.ConsulServer) -> Process:
    options = ("--list", str(folder / "instances.jsonl"), "--interval", "0.3", "--check-interval", "0.5")
    environ = {"REGISTRAR_CONSUL_URL": server.url, "REGISTRAR_CONSUL_TIMEOUT_S": "1"}
    return Process("registrar", ("chassis.registrar", *options), environ, folder / "registrar.log")


def passing(scene: Scene) -> int:
    """How many instances Consul calls healthy; 0: it does not answer."""
    try:
        url = f"{scene.consul.url}/v1/health/service/shop?passing=1"
        return len(httpx.get(url, timeout=2, trust_env=False).raise_for_status().json())
    except httpx.HTTPError:
        return 0
