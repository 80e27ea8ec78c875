"""Clients that ask both gateways, as a load balancer spreads them, and keep what they saw."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.faults.chaos.audit import Sent

CLIENTS = 6
WRITES = 0.25
PAUSE_S = 0.03
ANSWER_TIMEOUT_S = 60.0
PATIENCE_S = 60.0
USERS = 30


@dataclass
class Traffic:
    """`ports`: of the gateways, by name. `token`: the credential of a user."""

    ports: Mapping[str, int]
    token: Callable[[str], str]
    seed: int
    began: float = 0.0
    sent: list[Sent] = field(default_factory=list)
    under_way: dict[int, float] = field(default_factory=dict)
    """When the request of each client began."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.began = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when every request has its answer."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def since(self, began: float) -> list[Sent]:
        """What has begun and ended since."""
        return [one for one in self.sent[-5000:] if one.began >= began]

    def _ask(self, number: int) -> None:
        chance = random.Random(f"{self.seed} client {number}")
        tokens = {user: self.token(user) for user in map("user-{}".format, range(USERS))}
        count = 0
        while not self._ended.is_set():
            count += 1
            write = f"{number}-{count}" if chance.random() < WRITES else ""
            path = f"/items/{write or chance.randrange(100)}" if chance.random() < 0.9 or write else "/pages/1"
            fields = {"Authorization": f"Bearer {tokens[chance.choice(list(tokens))]}"}
            self.sent.append(self._answered(number, chance, write, path, fields))
            self.under_way.pop(number, None)
            time.sleep(chance.uniform(0, 2 * PAUSE_S))

    def _answered(self, number: int, chance: random.Random, write: str, path: str, fields: dict[str, str]) -> Sent:
        """At the first gateway that accepts a connection: a request is sent once."""
        began = time.monotonic()
        while True:
            for gateway in chance.sample(sorted(self.ports), len(self.ports)):
                self.under_way[number] = time.monotonic()
                with_connection = http.client.HTTPConnection("127.0.0.1", self.ports[gateway], timeout=ANSWER_TIMEOUT_S)
                try:
                    with_connection.connect()
                except ConnectionRefusedError:
                    continue
                return _exchanged(with_connection, gateway, write, path, fields)
            if time.monotonic() - began > PATIENCE_S:
                return Sent("", began, time.monotonic(), 0, write=write, error="no gateway accepts connections")
            time.sleep(PAUSE_S)


def _exchanged(
    connection: http.client.HTTPConnection, gateway: str, write: str, path: str, fields: dict[str, str]
) -> Sent:
    began = time.monotonic()
    try:
        connection.request("POST" if write else "GET", path, headers=fields)
        answer = connection.getresponse()
        status, body = answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return Sent(gateway, began, time.monotonic(), 0, write=write, error=repr(error))
    finally:
        connection.close()
    return Sent(gateway, began, time.monotonic(), status, _side(body), write, body[:200].decode(errors="replace"))


def _side(body: bytes) -> str:
    try:
        return str(json.loads(body).get("side", ""))
    except (ValueError, AttributeError):
        return ""
