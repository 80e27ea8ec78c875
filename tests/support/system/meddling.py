"""Faults inside a broker: messages doubled, late, overtaken, lost, forged, unroutable."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from chassis.messaging.open import open_broker
from chassis.messaging.topology import Queue, load
from tests.support.system.processes import ROOT
from tests.support.system.waiting import until

TOPOLOGY = load(ROOT / "extracted" / "topology.yaml")
TIMEOUT_S = 60
LOOKS_WITHIN_S = 60
"""Twice the time between two checks of a RabbitMQ consumer."""


@dataclass
class SqliteMeddler:
    """In the broker's SQLite file, by triggers."""

    path: Path
    triggers: list[str] = field(default_factory=list)

    def repeat(self, queue: str, after_s: Sequence[float]) -> None:
        """Each message comes again after each of these times."""
        copies = ";".join(
            "INSERT INTO message (queue, properties, body, leased_until)"
            f" VALUES (NEW.queue, NEW.properties, NEW.body, {_in(seconds)})"
            for seconds in after_s
        )
        self._on_insert(f"NEW.queue = '{queue}' AND NEW.leased_until = 0", copies)

    def delay(self, queue: str, kind: str, by_s: float) -> None:
        """Only messages of that type come late, so others overtake them."""
        late = f"UPDATE message SET leased_until = {_in(by_s)} WHERE id = NEW.id"
        self._on_insert(f"NEW.queue = '{queue}' AND json_extract(NEW.properties, '$.type') = '{kind}'", late)

    def looked_after(self, queue: str) -> None:
        """Waits until its running consumer has just checked it: an unbound queue then stays so for a while."""

    def unbind(self, queue: str) -> None:
        """Routes nothing to it until its consumer checks it (every ten seconds) or `heal` is called."""
        self._run("DELETE FROM binding WHERE queue = ?", queue)

    def lose(self, queue: str) -> None:
        """Deletes its messages."""
        self._run("DELETE FROM message WHERE queue = ?", queue)

    def put(self, queue: str, properties: Mapping[str, object], body: bytes) -> None:
        """Adds any message; `properties` named as in an envelope."""
        row = (queue, json.dumps(dict(properties)), body)
        self._run("INSERT INTO message (queue, properties, body) VALUES (?, ?, ?)", *row)

    def lying(self) -> int:
        """The number of waiting messages, late ones included; with RabbitMQ without those under way."""
        with self._open() as connection:
            return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])

    def heal(self) -> None:
        """Restores the topology."""
        with self._open() as connection:
            for name in self.triggers:
                connection.execute(f"DROP TRIGGER {name}")
            for queue in TOPOLOGY.queues:
                rows = [(queue.exchange, kind, queue.name) for kind in queue.types]
                connection.executemany("INSERT OR IGNORE INTO binding VALUES (?, ?, ?)", rows)
        self.triggers.clear()

    def _on_insert(self, when: str, then: str) -> None:
        name = f"meddling_{time.monotonic_ns()}"
        with self._open() as connection:
            connection.execute(f"CREATE TRIGGER {name} AFTER INSERT ON message WHEN {when} BEGIN {then}; END")
        self.triggers.append(name)

    def _run(self, statement: str, *values: object) -> int:
        with self._open() as connection:
            return connection.execute(statement, values).rowcount

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=TIMEOUT_S, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


def _in(seconds: float) -> str:
    """SQL for so many seconds from now, on the monotonic clock of leases."""
    offset = time.monotonic() - time.time() + seconds
    return f"((julianday('now') - 2440587.5) * 86400.0 + {offset})"


@dataclass
class RabbitMeddler:
    """Through RabbitMQ's management API, in one virtual host; `url` as fresh_rabbit gives it."""

    url: str
    management_url: str
    made: dict[str, tuple[Queue, Sequence[str]]] = field(default_factory=dict)
    limited: set[str] = field(default_factory=set)

    def repeat(self, queue: str, after_s: Sequence[float]) -> None:
        for seconds in after_s:
            self._detour(_queue(queue), _queue(queue).types, seconds)

    def delay(self, queue: str, kind: str, by_s: float) -> None:
        self._detour(_queue(queue), (kind,), by_s)
        self._unbind(_queue(queue), (kind,))

    def looked_after(self, queue: str) -> None:
        self.unbind(queue)
        until(lambda: self._bound(queue) >= {*_queue(queue).types}, f"{queue} bound again", LOOKS_WITHIN_S)

    def unbind(self, queue: str) -> None:
        self._unbind(_queue(queue), _queue(queue).types)

    def lose(self, queue: str) -> None:
        self.call("DELETE", f"queues/{self.vhost}/{queue}/contents")

    def put(self, queue: str, properties: Mapping[str, object], body: bytes) -> None:
        sent: dict[str, Any] = {"delivery_mode": 2, "headers": {}}
        names = {"id": "message_id", "type": "type", "request_id": "correlation_id", "reply_to": "reply_to"}
        for name, value in properties.items():
            place = sent if name in names else sent["headers"]
            place[names.get(name, name)] = value
        message = {"routing_key": queue, "payload": body.decode(), "payload_encoding": "string", "properties": sent}
        self.call("POST", f"exchanges/{self.vhost}/amq.default/publish", message)

    def delete(self, queue: str) -> None:
        """Deletes the queue; its consumers are notified."""
        self.call("DELETE", f"queues/{self.vhost}/{queue}")

    def limit(self, queue: str, limits: Mapping[str, int]) -> None:
        """Sets `max-length`, `delivery-limit`; the queue's own limit holds if it is lower."""
        policy = {"pattern": f"^{queue}$".replace(".", "[.]"), "definition": dict(limits), "apply-to": "queues"}
        self.call("PUT", f"policies/{self.vhost}/meddling.{queue}", policy)
        self.limited.add(queue)

    def lying(self) -> int:
        return sum(ready(self.url, name) for name in (*(queue.name for queue in self._there()), *self.made))

    def heal(self) -> None:
        for queue in self._there():
            for kind in queue.types:
                place = f"bindings/{self.vhost}/e/{queue.exchange}/q/{queue.name}"
                self.call("POST", place, {"routing_key": kind})
        for name, (queue, kinds) in self.made.items():
            self._unbind(queue, kinds, name)
        until(lambda: not any(ready(self.url, name) for name in self.made), "detours empty", poll_s=0.2)
        for name in self.made:
            self.call("DELETE", f"queues/{self.vhost}/{name}")
        self.made.clear()
        for limited in self.limited:
            self.call("DELETE", f"policies/{self.vhost}/meddling.{limited}")
        self.limited.clear()

    def _there(self) -> list[Queue]:
        """The queues that exist: not every scene has all services."""
        names = {queue["name"] for queue in self.call("GET", f"queues/{self.vhost}?columns=name")}
        return [queue for queue in TOPOLOGY.queues if queue.name in names]

    def _bound(self, queue: str) -> set[str]:
        """The message types routed to it."""
        return {one["routing_key"] for one in self.call("GET", f"queues/{self.vhost}/{queue}/bindings")}

    def _detour(self, queue: Queue, kinds: Sequence[str], seconds: float) -> None:
        """Adds a queue whose messages move to this one after a delay."""
        name = f"meddling.{time.monotonic_ns()}"
        onwards = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue.name}
        arguments = onwards | {"x-message-ttl": round(seconds * 1000)}
        self.call("PUT", f"queues/{self.vhost}/{name}", {"durable": True, "arguments": arguments})
        for kind in kinds:
            self.call("POST", f"bindings/{self.vhost}/e/{queue.exchange}/q/{name}", {"routing_key": kind})
        self.made[name] = queue, kinds

    def _unbind(self, queue: Queue, kinds: Sequence[str], name: str | None = None) -> None:
        for kind in kinds:
            place = f"bindings/{self.vhost}/e/{queue.exchange}/q/{name or queue.name}"
            self.call("DELETE", f"{place}/{quote(kind, safe='')}", but=404)

    @property
    def vhost(self) -> str:
        return quote(urlsplit(self.url).path[1:] or "/", safe="")

    def call(self, method: str, path: str, body: object = None, but: int | None = None) -> Any:
        """Calls the management API. Fails if the broker refuses, except with status `but`."""
        answer = httpx.request(method, f"{self.management_url}/api/{path}", json=body, timeout=TIMEOUT_S)
        if answer.status_code != but:
            answer.raise_for_status()
        return answer.json() if answer.is_success and answer.content else None


Meddler = SqliteMeddler | RabbitMeddler
"""Changes the queues of one broker. All methods raise where the broker is away."""


def _queue(name: str) -> Queue:
    return next(queue for queue in TOPOLOGY.queues if queue.name == name)


def ready(broker_url: str, queue: str) -> int:
    """The number of ready messages in it, as the broker reports; those under way do not count."""

    async def look() -> int:
        broker = open_broker(broker_url, "test")
        try:
            return await broker.depth(queue)
        finally:
            await broker.aclose()

    return asyncio.run(look())
