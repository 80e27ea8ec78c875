"""Consul, for instances and for what several gateways decide together: one server, built from consul_agent/.

The Go module of 2017 is the newest that can be built. Production runs a current one: use what both have.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx

from parts import place as places
from parts.go_program import GoProgram, go
from parts.place import PartFailed, Place
from parts.ports import free_ports
from parts.servers.server import Server, SharedServer, running

NAME = "consul"
PORT = int(os.environ.get("CONSUL_PORT") or 18500)
URL = f"http://127.0.0.1:{PORT}"
DNS_PORT = PORT + 4
PROGRAM = GoProgram(NAME, Path(__file__).with_name("consul_agent"), "github.com/hashicorp/consul")
START_TIMEOUT_S = 30  # 1 to 3 s on a free machine
ANSWER_TIMEOUT_S = 10
POLL_S = 0.05
SETTINGS: Mapping[str, object] = {
    "server": True,
    "bootstrap_expect": 1,
    "node_name": NAME,
    "datacenter": "dc1",
    "bind_addr": "127.0.0.1",
    "client_addr": "127.0.0.1",
    "disable_update_check": True,
    "disable_host_node_id": True,
    "performance": {"raft_multiplier": 1},  # a restart takes a second or two instead of ten
    "log_level": "WARN",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one server. `dns` answers `NAME.service.consul` over UDP and TCP."""

    http: int
    server: int
    serf_lan: int
    serf_wan: int
    dns: int


class ConsulServer(Server):
    """One server of a cluster of one. After `stop` it is still a member of it.

    `more`: settings as Consul's configuration file takes them, for ACLs or TLS. `token`: one that may read keys.
    """

    def __init__(
        self, place: Place, program: Path, ports: Ports, more: Mapping[str, object] | None = None, token: str = ""
    ) -> None:
        super().__init__(place, NAME)
        self.ports = ports
        self.url = f"http://127.0.0.1:{ports.http}"
        self._program = program
        self._more = dict(more or {})
        self._headers = {"X-Consul-Token": token} if token else {}

    def start(self) -> None:
        """Returns when it has a leader and answers; takes 1 to 3 seconds. Raises PartFailed."""
        if self.process() is not None:
            return
        self._daemon.start(
            [self._program, "agent", "-data-dir", self._folder / "data", "-config-file", self._settings()],
            self.ports.http,
            START_TIMEOUT_S,
        )
        self._wait_until_ready()

    def restart(self) -> None:
        """With its data."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Restarts it without any data: no keys, sessions or services, and indexes begin anew."""
        self.stop()
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        self.start()

    def snapshot(self) -> bytes:
        """A backup of keys, sessions, services and ACLs, for `restore`."""
        return self._request("GET", "/v1/snapshot").content

    def restore(self, snapshot: bytes) -> None:
        """While it runs, as `consul snapshot restore` does."""
        self._request("PUT", "/v1/snapshot", snapshot)

    def _settings(self) -> Path:
        ports = {
            "http": self.ports.http,
            "server": self.ports.server,
            "serf_lan": self.ports.serf_lan,
            "serf_wan": self.ports.serf_wan,  # -1 makes this version panic
            "dns": self.ports.dns,
        }
        more_ports = self._more.get("ports")
        settings = {**SETTINGS, **self._more, "ports": ports | (more_ports if isinstance(more_ports, dict) else {})}
        file = self._folder / "settings.json"
        file.write_text(json.dumps(settings))
        return file

    def _wait_until_ready(self) -> None:
        """A consistent read needs a leader that has its log; "passing" of serfHealth comes too early."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self.process() is None or time.monotonic() > deadline:
                self.stop()
                raise PartFailed(f"it has no leader after {START_TIMEOUT_S} s; see {self._daemon.log}")
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        url = f"{self.url}/v1/kv/x?consistent"
        try:
            answer = httpx.get(url, headers=self._headers, timeout=ANSWER_TIMEOUT_S, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code in (httpx.codes.OK, httpx.codes.NOT_FOUND)

    def _request(self, method: str, path: str, body: bytes = b"") -> httpx.Response:
        url = f"{self.url}{path}"
        answer = httpx.request(
            method, url, headers=self._headers, content=body, timeout=ANSWER_TIMEOUT_S, trust_env=False
        )
        return answer.raise_for_status()


def own(
    folder: Path, more: Mapping[str, object] | None = None, token: str = ""
) -> AbstractContextManager[ConsulServer]:
    """A running server for a fault test, which may stop, suspend, kill and wipe it: on free ports."""
    program = PROGRAM.built(places.from_environment())
    return running(ConsulServer(Place.own(folder), program, Ports(*free_ports(5)), more, token))


def install() -> None:
    """Checks that Go is installed: not every distribution has a package of it."""
    go()


def build(place: Place) -> None:
    """Builds this source once, in less than a minute. Raises PartFailed."""
    PROGRAM.build(place)


def _shared(place: Place) -> ConsulServer:
    return ConsulServer(place, PROGRAM.path(place), Ports(PORT, PORT + 1, PORT + 2, PORT + 3, DNS_PORT))


SHARED = SharedServer(_shared, PORT, "CONSUL_PORT")
start, stop, is_running = SHARED.start, SHARED.stop, SHARED.is_running
