"""The SQL of the SQLite broker. Each function is one job inside a transaction.

Times are seconds of a monotonic clock that the processes of one host share. A lease that ends later than the longest
lease allows dates from before a restart of the host, so it has ended.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping

from chassis.messaging.port import Delivery, PublishRefused, TopologyDiffers, Unroutable
from chassis.messaging.sqlite.consumer_loop import LeasedMessage
from chassis.messaging.topology import Queue

LONGEST_LEASE_S = 60.0
LONGEST_SILENCE_S = 60.0
"""After it, an exclusive queue is deleted."""
DEAD_WAITS_S = 30.0
"""How long a message waits before it is dead-lettered again, if the queue of dead letters is full."""
REPLIES_MAX_LENGTH = 10_000


def declare(connection: sqlite3.Connection, queues: tuple[Queue, ...]) -> None:
    """Creates what is missing. Raises TopologyDiffers before it writes."""
    for queue in queues:
        _check(connection, queue)
    for queue in queues:
        add = "INSERT OR IGNORE INTO queue (name, max_length, delivery_limit) VALUES (?, ?, ?)"
        connection.execute(add, (queue.dead, queue.max_length, None))
        connection.execute(add, (queue.name, queue.max_length, queue.delivery_limit))
        for routing_key in queue.types:
            _bind(connection, queue.exchange, routing_key, queue.name)


def _check(connection: sqlite3.Connection, queue: Queue) -> None:
    row = connection.execute("SELECT max_length, delivery_limit FROM queue WHERE name = ?", (queue.name,)).fetchone()
    if row is not None and row != (queue.max_length, queue.delivery_limit):
        raise TopologyDiffers(
            f"queue {queue.name} exists with max_length {row[0]} and delivery_limit {row[1]}; wanted {queue.max_length}"
            f" and {queue.delivery_limit}: change the topology, or drain and delete it"
        )
    bound = set(connection.execute("SELECT exchange, routing_key FROM binding WHERE queue = ?", (queue.name,)))
    if surplus := bound - {(queue.exchange, routing_key) for routing_key in queue.types}:
        seen = ", ".join(f"{exchange}/{routing_key}" for exchange, routing_key in sorted(surplus))
        raise TopologyDiffers(f"queue {queue.name} is also bound to {seen}: add that to the topology, or unbind it")


def _bind(connection: sqlite3.Connection, exchange: str, routing_key: str, queue: str) -> None:
    connection.execute("INSERT OR IGNORE INTO binding VALUES (?, ?, ?)", (exchange, routing_key, queue))


def put(
    connection: sqlite3.Connection,
    exchange: str,
    routing_key: str,
    properties: Mapping[str, object],
    body: bytes,
    expires_at: float | None,
) -> None:
    """Adds it to every bound queue, or to none. Raises Unroutable, PublishRefused."""
    found = connection.execute(
        "SELECT name, length >= max_length FROM binding JOIN queue ON queue = name"
        " WHERE exchange = ? AND routing_key = ?",
        (exchange, routing_key),
    ).fetchall()
    if not found:
        raise Unroutable(f"no queue is bound in {exchange} for {routing_key}")
    if full := [name for name, is_full in found if is_full]:
        raise PublishRefused(f"queue {full[0]} is full")
    text = json.dumps(properties)
    connection.executemany(
        "INSERT INTO message (queue, properties, body, expires_at) VALUES (?, ?, ?, ?)",
        [(name, text, body, expires_at) for name, _is_full in found],
    )


def take(connection: sqlite3.Connection, queue: str, at_most: int, now: float, lease_s: float) -> list[LeasedMessage]:
    """Leases the oldest ready messages. Deletes expired ones, dead-letters those delivered too often.

    Raises TopologyDiffers.
    """
    limit = _delivery_limit(connection, queue)
    token = secrets.randbits(62)
    rows = connection.execute(
        "UPDATE message SET leased_until = :now + :lease_s, token = :token, takes = takes + 1 WHERE id IN"
        " (SELECT id FROM message WHERE queue = :queue"
        " AND (leased_until <= :now OR leased_until > :now + :longest) ORDER BY id LIMIT :at_most)"
        " RETURNING id, properties, body, takes - 1, died, expires_at",
        {
            "queue": queue,
            "now": now,
            "lease_s": lease_s,
            "longest": LONGEST_LEASE_S,
            "token": token,
            "at_most": at_most,
        },
    ).fetchall()
    taken = []
    for number, properties, body, count, died, expires_at in sorted(rows, key=lambda row: row[0]):
        if expires_at is not None and expires_at <= now:
            connection.execute("DELETE FROM message WHERE id = ?", (number,))
        elif limit is not None and count > limit:
            _bury(connection, number, now)
        else:
            taken.append(LeasedMessage(number, token, Delivery(queue, _properties(properties), body, count, died)))
    return taken


def _delivery_limit(connection: sqlite3.Connection, queue: str) -> int | None:
    row = connection.execute("SELECT delivery_limit FROM queue WHERE name = ?", (queue,)).fetchone()
    if row is None:
        raise TopologyDiffers(f"there is no queue {queue}: declare the topology first")
    limit: int | None = row[0]
    return limit


def take_away(connection: sqlite3.Connection, queue: str, at_most: int, now: float) -> list[LeasedMessage]:
    """Deletes and returns the oldest messages of a queue of replies, where nothing is acknowledged."""
    rows = connection.execute(
        "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE queue = ? ORDER BY id LIMIT ?)"
        " RETURNING id, properties, body, expires_at",
        (queue, at_most),
    ).fetchall()
    return [
        LeasedMessage(number, 0, Delivery(queue, _properties(properties), body))
        for number, properties, body, expires_at in sorted(rows, key=lambda row: row[0])
        if expires_at is None or expires_at > now
    ]


def _properties(text: str) -> dict[str, object]:
    """Empty if someone edited the row by hand; the consumer then reports an invalid envelope."""
    try:
        properties = json.loads(text)
    except ValueError:
        return {}
    return properties if isinstance(properties, dict) else {}


def acknowledge(connection: sqlite3.Connection, taken: LeasedMessage) -> None:
    """Has no effect if the lease was lost."""
    connection.execute("DELETE FROM message WHERE id = ? AND token = ?", (taken.number, taken.token))


def give_back(connection: sqlite3.Connection, taken: LeasedMessage, now: float, *, failed: bool) -> None:
    """Back to its place, or to the dead letters after too many failures. Has no effect if the lease was lost."""
    row = connection.execute(
        "UPDATE message SET leased_until = 0, token = NULL, takes = takes - ? WHERE id = ? AND token = ?"
        " RETURNING takes > (SELECT delivery_limit FROM queue WHERE name = message.queue)",
        (0 if failed else 1, taken.number, taken.token),
    ).fetchall()
    if row and row[0][0]:
        _bury(connection, taken.number, now)


def _bury(connection: sqlite3.Connection, number: int, now: float) -> None:
    moved = connection.execute(
        "UPDATE message SET queue = queue || '.dead', died = 'delivery_limit in ' || queue, takes = 0, token = NULL,"
        " leased_until = 0 WHERE id = ? AND EXISTS"
        " (SELECT 1 FROM queue WHERE name = message.queue || '.dead' AND length < max_length)",
        (number,),
    )
    if moved.rowcount == 0:
        connection.execute("UPDATE message SET leased_until = ? WHERE id = ?", (now + DEAD_WAITS_S, number))


def renew(connection: sqlite3.Connection, held: list[tuple[int, int]], until: float) -> None:
    """`held`: (id, token)."""
    rows = [(until, *one) for one in held]
    connection.executemany("UPDATE message SET leased_until = ? WHERE id = ? AND token = ?", rows)


def keep_replies(connection: sqlite3.Connection, exchange: str, queue: str, alive_until: float) -> None:
    """Creates an exclusive queue, bound under its own name, or records that its owner is alive."""
    connection.execute(
        "INSERT INTO queue (name, max_length, alive_until) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until",
        (queue, REPLIES_MAX_LENGTH, alive_until),
    )
    _bind(connection, exchange, queue, queue)


def delete_queue(connection: sqlite3.Connection, queue: str) -> None:
    """With its messages and bindings."""
    connection.execute("DELETE FROM message WHERE queue = ?", (queue,))
    connection.execute("DELETE FROM queue WHERE name = ?", (queue,))


def prune(connection: sqlite3.Connection, now: float) -> None:
    """Deletes exclusive queues without an owner, and expired messages."""
    silent = connection.execute(
        "SELECT name FROM queue WHERE alive_until <= ? OR alive_until > ?", (now, now + LONGEST_SILENCE_S)
    ).fetchall()
    for (queue,) in silent:
        delete_queue(connection, queue)
    connection.execute("DELETE FROM message WHERE expires_at <= ?", (now,))


def depth(connection: sqlite3.Connection, queue: str, now: float) -> int:
    """The number of ready messages. Raises TopologyDiffers."""
    _delivery_limit(connection, queue)
    count: int = connection.execute(
        "SELECT count(*) FROM message WHERE queue = :queue AND coalesce(expires_at > :now, 1)"
        " AND (leased_until <= :now OR leased_until > :now + :longest)",
        {"queue": queue, "now": now, "longest": LONGEST_LEASE_S},
    ).fetchone()[0]
    return count


def changed(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
