"""Gateways that act as one: real processes, each with a line of its own to a real Consul, that a test can cut."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.jwk import ECKey

from parts.fresh import REDIS_URL
from parts.ports import free_port
from parts.servers.consul import ConsulServer
from strangler_gateway.cli.watch import Watched, counted
from tests.http.gateway_process import GatewayProcess
from tests.support.system.tcp_proxy import TcpProxy
from tests.support.system.waiting import until

SCRIPT = str(Path(sys.executable).with_name("strangler"))
OPERATOR = "operator-secret-1"
KEY = ECKey.generate_key("P-256", private=True).as_pem(private=True).decode()
ROUTES = """\
version: 1
services:
  monolith: {url: "http://127.0.0.1:%(monolith)d"}
  shop: {url: "http://127.0.0.1:%(shop)d"}
groups:
  items:
    state: %(state)s
    salt: %(salt)s
    anonymous: "header:X-User"
    data: %(data)s
    gate: {min_shadow: 10, min: 20}
    plan: %(plan)s
routes:
  - id: item
    group: items
    match: {methods: [GET], path: "/items/{id}"}
    legacy: monolith
    extracted: shop
    limit: {rate: "1000000/minute", by: address}
    shadow: {pure: true}
  - {id: rest, match: {path: "/{rest...}"}, legacy: monolith}
"""
CALLS = httpx.Client(trust_env=False, timeout=60)
"""Of all tests: one is slow to make."""


class Side(ThreadingHTTPServer):
    """An upstream: says which side it is, or what a test wants."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.answer: dict[str, object] = {"side": name}
        self.status = 200
        self.fails_every = 0
        """Every so many requests one fails; 0: none does."""
        self.asked = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Head and body are sent together: else the body waits 40 ms for the acknowledgement of the head."""
    server: Side

    def do_GET(self) -> None:
        body = json.dumps(self.server.answer).encode()
        server = self.server
        server.asked += 1
        self.send_response(500 if server.fails_every and server.asked % server.fails_every == 0 else server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A test's output is its own."""


@dataclass
class OneOfMany:
    """A gateway with a folder, a name and a line to Consul that outlive its processes."""

    name: str
    folder: Path
    line: TcpProxy
    """To Consul."""
    admin_line: TcpProxy
    """From the other gateways to the admin port."""
    redis_line: TcpProxy
    environ: Mapping[str, str]
    process: GatewayProcess | None = None
    options: list[str] = field(default_factory=list)

    @property
    def routes(self) -> Path:
        return self.folder / "routes.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def start(self) -> None:
        self.process = GatewayProcess(self.routes, self.state, self.environ, *self.options)

    @property
    def running(self) -> GatewayProcess:
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """SIGKILL."""
        self.running.process.kill()
        self.running.process.wait()

    def stop(self) -> None:
        """Gracefully."""
        if self.process is not None:
            self.running.stop()

    def suspend(self) -> None:
        self.running.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.running.process.send_signal(signal.SIGCONT)

    def cut(self) -> None:
        """From Consul: at once, and until `heal`."""
        self.line.refuses = True
        self.line.cut()

    def writes(self, text: str) -> bool:
        """Whether such a request to Consul has begun, and is not complete."""
        begun = [
            bytes(one.up).rpartition(text.encode())[2] for one in self.line.conversations if text.encode() in one.up
        ]
        return any(b"}}]" not in one for one in begun)

    def heal(self) -> None:
        self.line.heal()

    def lose_disk(self) -> None:
        shutil.rmtree(self.state)

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.running.admin_port}"

    def ask(self, method: str, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        """Status and answer of its admin API."""
        fields = {"Authorization": f"Bearer {OPERATOR}"}
        content = body if method == "POST" else None
        answer = CALLS.request(method, f"{self.admin}/{path}", json=content, headers=fields)
        return answer.status_code, answer.json()

    def page(self, path: str) -> str:
        """A page of the operators', as somebody who has logged in sees it."""
        with httpx.Client(base_url=self.admin, trust_env=False, timeout=60, follow_redirects=True) as http:
            http.post("/ui/login", data={"credential": OPERATOR}, headers={"Origin": self.admin})
            return http.get(path).text

    def flip(self, to: str, share: float | None = None, *, force: bool = True, **more: object) -> dict[str, Any]:
        wish = {"unit": "items", "to": to, "why": "a test", "force": force, "who": self.name, **more}
        return self.ask("POST", "flip", **wish, **({} if share is None else {"share": share}))[1]

    def rollback(self, why: str = "", who: str = "") -> dict[str, Any]:
        answer = self.ask("POST", "rollback", unit="items", why=why, who=who or self.name)[1]
        assert "units" in answer, (answer, self.running.lines[-30:])
        return dict(answer["units"][0])

    def release(self, **more: object) -> dict[str, Any]:
        return self.ask("POST", "release", unit="items", who=self.name, **more)[1]

    @property
    def route(self) -> dict[str, Any]:
        """The row of the group's route."""
        rows = self.ask("GET", "routes?counters=own")[1]["routes"]
        return dict(next(row for row in rows if row["unit"] == "items"))

    @property
    def serves(self) -> str:
        """`canary 10`, `legacy held`."""
        row = self.route
        share = f" {row['share']:g}" if row["share"] is not None else ""
        return str(row["state"]) + share + (" held" if row["held"] else "")

    def counted(self) -> Watched:
        """Of the group, at all gateways."""
        return counted(self.ask("GET", "routes")[1], "items")

    def legacy_users(self) -> int:
        """Who went to the monolith, at all gateways."""
        answer = self.ask("GET", "inventory")[1]
        assert answer["silent"] == []
        return int(answer["routes"][0]["users"]["legacy"])

    def own_requests(self) -> int:
        """Of the group, at this gateway, to the monolith."""
        return int(self.route["requests"]["legacy"])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`strangler`, at this gateway."""
        given = {**os.environ, "STRANGLER_ADMIN_URL": self.admin, "STRANGLER_ADMIN_TOKEN": OPERATOR}
        return subprocess.run([SCRIPT, *words], env=given, capture_output=True, text=True, timeout=240)

    def get(self, user: str = "ada", path: str = "/items/1") -> httpx.Response:
        """A request of a client."""
        return CALLS.get(
            f"http://127.0.0.1:{self.running.port}{path}", headers={"X-User": user, "Authorization": f"Bearer {user}"}
        )


class Many:
    """The gateways gw1, gw2, … of one cluster."""

    def __init__(self, folder: Path, server: ConsulServer, prefix: str, number: int, **settings: str) -> None:
        self.server, self.prefix, self._folder = server, prefix, folder
        self.monolith, self.shop = Side("monolith"), Side("shop")
        self._stack = contextlib.ExitStack()
        self._settings = settings
        self.gateways = [self._made(f"gw{n + 1}") for n in range(number)]

    def _made(self, name: str) -> OneOfMany:
        line, admin_port = self._stack.enter_context(TcpProxy(self.server.ports.http)), free_port()
        redis_line = self._stack.enter_context(TcpProxy(urlsplit(REDIS_URL).port or 6379))
        admin_line = self._stack.enter_context(TcpProxy(admin_port))
        environ = {
            "STRANGLER_OPERATOR_TOKEN": OPERATOR,
            "STRANGLER_SIGNING_KEY": KEY,
            "STRANGLER_STORE": "consul",
            "STRANGLER_STORE_PREFIX": self.prefix,
            "STRANGLER_STORE_SESSION_S": "10",
            "STRANGLER_CONSUL_URL": f"consul://127.0.0.1:{line.port}",
            "STRANGLER_CONSUL_TIMEOUT_S": "2",
            "STRANGLER_MEMBER": name,
            "STRANGLER_ADVERTISE": f"http://127.0.0.1:{admin_line.port}",
            "STRANGLER_DRAIN_S": "1",
            "STRANGLER_REDIS_URL": redis_line.through(REDIS_URL),
            **self._settings,
        }
        options = ["--admin-port", str(admin_port)]
        one = OneOfMany(name, self._folder / name, line, admin_line, redis_line, environ, options=options)
        one.folder.mkdir()
        self.write(one)
        return one

    def write(
        self, one: OneOfMany, state: str = "legacy", data: str = "shared", salt: str = "s", plan: str = ""
    ) -> None:
        """The routes file of a gateway. With another salt it is another file."""
        ports = {"monolith": self.monolith.server_port, "shop": self.shop.server_port}
        more = {"plan": f"{{{plan}}}" if plan else "null"}
        one.routes.write_text(ROUTES % {**ports, **more, "state": state, "data": data, "salt": salt})

    def __enter__(self) -> "Many":
        try:
            with ThreadPoolExecutor() as pool:
                list(pool.map(OneOfMany.start, self.gateways))
            self.agree("legacy")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.gateways:
            if one.process is not None:
                one.process.process.kill()
                one.process.stop()
        self._stack.close()
        for side in (self.monolith, self.shop):
            side.shutdown()
            side.server_close()

    def reset(self) -> None:
        """Everything runs and is connected, and the group is in legacy and not on hold."""
        self.server.resume()
        self.monolith.answer = self.shop.answer = {"side": "same"}
        self.shop.status, self.shop.fails_every = 200, 0
        for one in self.gateways:
            one.heal()
            one.admin_line.heal()
            one.redis_line.heal()
            one.resume()
            if not one.running.alive:
                one.start()
        first = self.gateways[0]
        first.rollback("reset")
        until(lambda: first.release()["done"], "the reset's release")
        self.agree("legacy")

    def separate(self) -> None:
        """No gateway reaches another one; the store is left."""
        for one in self.gateways:
            one.admin_line.refuses = True
            one.admin_line.cut()

    def agree(self, on: str, within_s: float = 60) -> None:
        """All of them serve this, and all know each other."""

        seen: list[tuple[str, str, dict[str, Any]]] = []

        def agreed() -> bool:
            running = [one for one in self.gateways if one.process is not None and one.process.alive]
            seen[:] = [(one.name, one.serves, one.ask("GET", "gateways")[1]) for one in running]
            return all(state == on and told["agreed"] for _, state, told in seen)

        try:
            until(agreed, f"all serve {on}", within_s)
        except AssertionError as exc:
            logs = {one.name: one.running.lines[-15:] for one in self.gateways if one.process is not None}
            raise AssertionError(f"{exc}: {json.dumps([seen, logs], indent=1)}") from exc

    def heal_admin(self) -> None:
        """After `separate`."""
        for one in self.gateways:
            one.admin_line.heal()

    def driver(self) -> OneOfMany | None:
        """Who holds the lease."""
        name = self.gateways[0].ask("GET", "gateways")[1]["store"]["driver"]
        return next((one for one in self.gateways if one.name == name), None)

    def end_sessions(self) -> None:
        """As their time to live would, later."""
        for session in CALLS.get(f"{self.server.url}/v1/session/list").json():
            CALLS.put(f"{self.server.url}/v1/session/destroy/{session['ID']}").raise_for_status()

    def stored_position(self) -> Any:
        """Where the decision in the store leads."""
        stored = self.stored()
        return stored and stored["decision"]["position"]

    def stored(self) -> dict[str, Any] | None:
        """The record of the group in the store."""
        keys = CALLS.get(f"{self.server.url}/v1/kv/{self.prefix}/?recurse")
        if keys.status_code != httpx.codes.OK:
            return None
        found = [key for key in keys.json() if key["Key"].endswith("/groups/items")]
        return json.loads(base64.b64decode(found[-1]["Value"])) if found else None
