"""Three instances of a service under load: killed, stopped, slow, broken, removed, added. Real processes."""

import http.client
import json
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parts.ports import free_port
from tests.http.conftest import Start
from tests.http.gateway_process import GatewayProcess
from tests.support.system.processes import Process
from tests.support.system.waiting import until

CLIENTS = 8
ANSWERS_S = 3
"""The time-out of an answer where one does not come; much more than others take on a busy machine."""
PATIENT_S = 60
"""The same where all come."""
ROUTES = """\
version: 1
services:
  monolith:
    urls: [{urls}]
    timeout_s: {{response: {answers_s}}}
    balance: {{slow_start_s: 1}}
routes:
  - {{id: all, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""


class Answer(NamedTuple):
    """Status, who gave it, when its request was sent, and how long it took."""

    method: str
    status: int
    port: str
    began: float
    seconds: float


class World:
    """The gateway, and the instances that its file names."""

    path = "/home"

    def __init__(self, folder: Path, start: Start, count: int, answers_s: int = PATIENT_S) -> None:
        self.folder, self.file, self.answers_s = folder, folder / "routes.yaml", answers_s
        self.instances = [self.instance(number) for number in range(count)]
        self.write(self.instances)
        self.gateway: GatewayProcess = start(routes=self.file)
        self.answers: list[Answer] = []
        self.under_way: dict[int, float] = {}
        """When the last request of each client began."""

    def instance(self, number: int) -> Process:
        log = self.folder / f"instance-{number}.log"
        return Process(str(number), ("tests.support.system.instance", str(free_port())), {}, log).start()

    def write(self, instances: list[Process]) -> None:
        urls = ", ".join(f'"http://127.0.0.1:{one.port}"' for one in instances)
        self.file.write_text(ROUTES.format(urls=urls, answers_s=self.answers_s))

    def serve(self, instances: list[Process]) -> None:
        """A new file, and its digest is served."""
        before = self.status()["digest"]
        self.write(instances)
        self.gateway.signal(signal.SIGHUP)
        until(lambda: self.status()["digest"] != before, "the new file is served")

    def asked(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.gateway.admin_port}{path}", timeout=60) as answer:
            return json.load(answer)

    def status(self) -> Any:
        return self.asked("/status")

    def state(self, instance: Process) -> str:
        [service] = self.asked("/services")["services"]
        return str(next(one["state"] for one in service["instances"] if one["instance"].endswith(f":{instance.port}")))

    @contextmanager
    def load(self) -> Iterator[None]:
        """Clients that ask as fast as they are answered; every fifth request is a write."""
        over = threading.Event()
        self.answers = []
        threads = [threading.Thread(target=self._client, args=(number, over)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _client(self, client: int, over: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
        number = 0
        while not over.is_set():
            number += 1
            method, began = "GET" if number % 5 else "DELETE", time.monotonic()
            self.under_way[client] = began
            connection.request(method, self.path)
            answer = connection.getresponse()
            said = answer.read().decode() if answer.status in (200, 500) else ""
            answer.read()
            self.answers.append(Answer(method, answer.status, said, began, time.monotonic() - began))
        connection.close()

    def answered(self, more: int) -> None:
        """So many further answers have come."""
        wanted = len(self.answers) + more
        until(lambda: len(self.answers) >= wanted, f"{more} answers")

    def anew(self) -> float:
        """Waits until no request is under way that began before; returns when that was."""
        since = time.monotonic()
        until(lambda: all(began > since for began in self.under_way.values()), "every client asks anew")
        return since

    def by_instance(self, since: float = 0) -> Counter[str]:
        """Who answered the requests that began after that."""
        return Counter(one.port for one in list(self.answers) if one.status == 200 and one.began > since)

    def statuses(self, method: str) -> Counter[int]:
        return Counter(answer.status for answer in self.answers if answer.method == method)


@pytest.fixture
def world(tmp_path: Path, start: Start, request: pytest.FixtureRequest) -> Iterator[World]:
    """`request`: another time-out of an answer, if the test has one."""
    made = World(tmp_path, start, 3, getattr(request, "param", PATIENT_S))
    yield made
    for instance in made.instances:
        instance.kill()


def test_an_instance_that_is_killed_costs_no_safe_request_and_comes_back_by_itself(world: World) -> None:
    killed = world.instances[0]
    port = str(killed.port)
    with world.load():
        world.answered(300)
        killed.kill()
        until(lambda: world.state(killed) == "unreachable", "it is left out")
        world.answered(300)
        killed.start()
        before = time.monotonic()
        until(lambda: world.by_instance(before)[port] > 10, "it is asked again")
    assert set(world.statuses("GET")) == {200}
    writes = world.statuses("DELETE")
    assert set(writes) <= {200, 502}
    assert writes[502] <= CLIENTS
    assert '"instance":"127.0.0.1:' in world.gateway.logged('"attempts":2')


@pytest.mark.parametrize("world", [ANSWERS_S], indirect=True)
def test_an_instance_that_stands_still_costs_the_requests_that_it_has_alone(world: World) -> None:
    stopped = world.instances[0]
    with world.load():
        world.answered(300)
        stopped.pause()
        until(lambda: world.state(stopped) == "failing", "it is left out")
        world.answered(300)
    stopped.go_on()
    others = sorted(answer.seconds for answer in world.answers if answer.status == 200)
    assert Counter(answer.status for answer in world.answers)[504] <= 2 * CLIENTS
    assert others[int(len(others) * 0.9)] < ANSWERS_S / 2


def test_a_slow_instance_gets_less(world: World) -> None:
    slow = world.instances[0]
    assert slow.running is not None
    slow.running.send_signal(signal.SIGUSR1)
    with world.load():
        world.answered(600)
    by_instance = world.by_instance()
    assert 0 < by_instance[str(slow.port)] < by_instance.total() / 6


def test_an_instance_that_answers_500_is_left_out_and_its_answers_are_the_clients(world: World) -> None:
    broken = world.instances[0]
    assert broken.running is not None
    broken.running.send_signal(signal.SIGUSR2)
    with world.load():
        until(lambda: world.state(broken) == "failing", "it is left out")
        before = world.anew()
        world.answered(300)
    assert 20 <= sum(answer.status == 500 for answer in world.answers) <= 100
    assert world.by_instance(before).keys() == {str(one.port) for one in world.instances[1:]}


def test_instances_leave_and_come_without_a_failed_request(world: World) -> None:
    leaving = world.instances[0]
    world.instances.append(world.instance(3))
    coming = world.instances[3]
    with world.load():
        world.answered(200)
        world.serve(world.instances[1:])
        before = world.anew()
        until(lambda: world.by_instance(before)[str(coming.port)] > 20, "the new one is asked")
        leaving.stop()
        world.answered(200)
    assert {answer.status for answer in world.answers} == {200}
    assert str(leaving.port) not in world.by_instance(before)


class Services(World):
    """Instances of a service of ours; it refuses a DELETE with 405, which is an answer, too."""

    path = "/health/live"

    def instance(self, number: int) -> Process:
        environ = {"SERVICE_JWKS_URL": "http://127.0.0.1:1/jwks"}
        module = ("examples.service.main", "--port", str(free_port()))
        return Process(str(number), module, environ, self.folder / f"instance-{number}.log").start()


def test_services_that_are_restarted_one_after_the_other_lose_no_request(tmp_path: Path, start: Start) -> None:
    world = Services(tmp_path, start, 3)
    with world.load():
        for one in world.instances[:2]:
            world.answered(200)
            one.stop()
            world.answered(100)
            one.start()
            until(lambda one=one: world.state(one) in ("in", "slow_start"), "it is asked again")  # type: ignore[misc]
    for one in world.instances:
        one.kill()
    assert (set(world.statuses("GET")), set(world.statuses("DELETE"))) == ({200}, {405})
