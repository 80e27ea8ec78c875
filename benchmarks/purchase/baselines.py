"""The baselines of a purchase: confirmed publishes, one after another, and the monolith's single transaction."""

import asyncio
import time
import uuid

import aiormq
import psycopg
from pamqp.commands import Basic
from pamqp.common import FieldTable

_QUEUE: FieldTable = {"x-queue-type": "quorum", "x-max-length": 1_000_000, "x-overflow": "reject-publish"}


async def publishes_per_s(broker_url: str, seconds: float) -> float:
    """Persistent, mandatory, confirmed, to a quorum queue, one after another on one channel."""
    async with aiormq.connect(broker_url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.queue_declare("baseline", durable=True, arguments=_QUEUE)
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            persistent = Basic.Properties(delivery_mode=2)
            await channel.basic_publish(
                b"x" * 200, routing_key="baseline", properties=persistent, mandatory=True, timeout=5
            )
            count += 1
        rate = count / (time.perf_counter() - began)
        await channel.queue_delete("baseline")
        return rate


_BOUGHT = 'SELECT id FROM transactions WHERE user_id = %s AND "Object_id" = %s AND deleted_at IS NULL'
_INSERT = """INSERT INTO transactions (id, user_id, "Object_id", created_at, updated_at)
             VALUES (%s, %s, %s, now(), now())"""


def transactions_per_s(database_url: str, user_id: str, seconds: float) -> float:
    """As the monolith does it: two reads, an insert, an absolute balance, one commit; one after another."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            _buy(connection, user_id)
            count += 1
        return count / (time.perf_counter() - began)


def _buy(connection: psycopg.Connection, user_id: str) -> None:
    item_id = str(uuid.uuid4())
    connection.execute(_BOUGHT, (user_id, item_id))
    with connection.transaction():
        (points,) = connection.execute('SELECT points FROM "user" WHERE id = %s', (user_id,)).fetchone() or (0,)
        connection.execute(_INSERT, (str(uuid.uuid4()), user_id, item_id))
        connection.execute('UPDATE "user" SET points = %s WHERE id = %s', (points - 1, user_id))


def both(broker_url: str, database_url: str, user_id: str, seconds: float) -> tuple[float, float]:
    """(publishes/s, transactions/s)."""
    return asyncio.run(publishes_per_s(broker_url, seconds)), transactions_per_s(database_url, user_id, seconds)
