"""The random faults of a soak: each method breaks something, waits, and repairs it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep

from parts.servers import rabbit
from tests.support.system.meddling import TOPOLOGY
from tests.support.system.processes import Process
from tests.support.system.scene import Scene
from tests.support.system.tcp_proxy import TcpProxy

FAILPOINTS = {
    "account": (
        "account.before_debit_commit",
        "account.debited",
        "account.before_settle_commit",
        "account.settled",
        "account.before_refund_commit",
        "consumer.before_ack",
        "relay.confirmed",
    ),
    "shop": ("shop.before_commit", "shop.decided", "consumer.before_ack", "relay.confirmed"),
}
REACHED_WITHIN_S = 5.0
QUEUES = tuple(queue for queue in TOPOLOGY.queues if queue.owner in FAILPOINTS)
"""The queues of a purchase."""


@dataclass(frozen=True)
class Mishaps:
    """`server`: the soak's own RabbitMQ; None on embedded parts."""

    scene: Scene
    chance: random.Random
    server: rabbit.RabbitServer | None = None

    def one(self) -> str:
        """Causes one fault, repairs it, and returns its name."""
        known: list[Callable[[], str]] = [
            self.killed,
            self.killed_at_a_point,
            self.hung,
            self.failing,
            self.repeated,
            self.late,
            self.unbound,
            self.restocked,
        ]
        if self.server is not None:
            known += [self.bad_line, self.bad_line, self.broker_killed]
        name = self.chance.choice(known)()
        self.scene.heal()
        return name

    def killed(self) -> str:
        """SIGKILL, and down for a while."""
        process = self._some("account", "shop", "gateway")
        process.kill()
        self._wait(0, 3)
        return f"{process.name} killed"

    def killed_at_a_point(self) -> str:
        """At a point between transaction, publish and acknowledgement."""
        service = self.chance.choice(list(FAILPOINTS))
        process: Process = getattr(self.scene, service)
        point = self.chance.choice(FAILPOINTS[service])
        process.arm(f"{point}=kill")
        self._until_ended(process)
        return f"{service} killed at {point}"

    def failing(self) -> str:
        """Handlers raise."""
        service = self.chance.choice(list(FAILPOINTS))
        point = self.chance.choice([name for name in FAILPOINTS[service] if "commit" in name])
        getattr(self.scene, service).arm(f"{point}=raise")
        self._wait(1, 3)
        return f"{service} fails at {point}"

    def hung(self) -> str:
        """SIGSTOP for a while."""
        process = self._some("account", "shop", "gateway")
        process.pause()
        self._wait(1, 6)
        process.go_on()
        return f"{process.name} hung"

    def repeated(self) -> str:
        queue = self._queue()
        self.scene.meddler.repeat(queue, [self.chance.uniform(0, 2) for _ in range(self.chance.randint(1, 5))])
        self._wait(2, 5)
        return f"messages of {queue} repeated"

    def late(self) -> str:
        queue = self.chance.choice(QUEUES)
        kind = self.chance.choice(queue.types)
        self.scene.meddler.delay(queue.name, kind, self.chance.uniform(0.5, 6))
        self._wait(2, 6)
        return f"{kind} late"

    def unbound(self) -> str:
        queue = self._queue()
        self.scene.meddler.unbind(queue)
        self._wait(1, 4)
        return f"{queue} unbound"

    def restocked(self) -> str:
        for item in [*self.scene.books.read().stock]:
            self.scene.restock(item, self.chance.randint(1, 3))
        return "restocked"

    def bad_line(self) -> str:
        """To the broker or to the database, one way."""
        side, way = self.chance.choice(["broker", "database"]), self.chance.choice(["up", "down"])
        proxy: TcpProxy = getattr(self.scene, side)
        field, value = self.chance.choice(
            [("cut_after", self.chance.randint(1, 5000)), ("bytes_per_s", 1), ("held", True)]
        )
        setattr(getattr(proxy, way), field, value)
        self._wait(1, 4)
        return f"{side} {way} {field}={value}"

    def broker_killed(self) -> str:
        assert self.server is not None
        self.server.kill()
        self._wait(0, 2)
        self.server.start()
        return "broker killed"

    def _some(self, *names: str) -> Process:
        process: Process = getattr(self.scene.system, self.chance.choice(names))
        return process

    def _queue(self) -> str:
        return self.chance.choice(QUEUES).name

    def _wait(self, least_s: float, most_s: float) -> None:
        sleep(self.chance.uniform(least_s, most_s))

    def _until_ended(self, process: Process) -> None:
        for _ in range(int(REACHED_WITHIN_S / 0.1)):
            if not process.is_running:
                return
            sleep(0.1)
