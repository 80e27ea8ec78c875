"""Extra strain on purchases: a backlog in Account's queue, and a destination that takes nothing."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import psycopg

from chassis.messaging.envelope import Envelope
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, PublishRefused
from chassis.messaging.topology import Topology, load
from extracted.account.purchases.wiring import TOPOLOGY
from tests.support.system.purchasing import System

AT_ONCE = 100
MAILS, MAIL = "mails", "mail.requested.v1"
MOST_MAILS = 100
DRAINED_WITHIN_S = 300.0
_AGES = """SELECT extract(epoch FROM published_at - created_at) * 1000 FROM {}.outbox
           WHERE created_at >= to_timestamp(%s) AND published_at IS NOT NULL AND destination NOT LIKE 'mails %%'"""
_PUT = """INSERT INTO account.outbox (message_id, destination, created_at, properties, body)
          VALUES (%s, %s, now(), %s, '{}')"""


def outbox_ages_ms(database_url: str, since: float) -> list[float]:
    """Times from row to confirm of all messages of both services since that Unix time, ascending."""
    with psycopg.connect(database_url) as connection:
        found = [connection.execute(_AGES.format(service), (since,)).fetchall() for service in ("account", "shop")]
    return sorted(float(row[0]) for rows in found for row in rows)


def rss_over_backlog(running: System, user_id: str, count: int) -> dict[str, float]:
    """MiB of Account: before, with so many requests in its queue, at most while it works them off, and after it.

    The item is not there, so that each request is decided at once.
    """
    assert running.account.running is not None
    pid = running.account.running.pid
    seen = {"before": _rss_mib(pid)}
    os.kill(pid, signal.SIGSTOP)
    try:
        asyncio.run(_with(running.broker_url, lambda broker: _ask(broker, user_id, count)))
    finally:
        os.kill(pid, signal.SIGCONT)
    seen["full"] = _rss_mib(pid)
    seen["most"] = max(_while_draining(running, pid))
    return seen | {"after": _rss_mib(pid)}


def fill_mail(running: System) -> None:
    """Fills Mailer's queue, and puts mail for it into Account's outbox."""
    asyncio.run(_with(running.broker_url, _filled))
    properties = {"type": MAIL, "time": datetime.now(UTC).isoformat()}
    ids = [str(uuid4()) for _ in range(1000)]
    rows = [(one, f"{MAILS} {MAIL}", json.dumps(properties | {"id": one})) for one in ids]
    with psycopg.connect(running.stores.database_url) as connection:
        connection.cursor().executemany(_PUT, rows)


async def _with(broker_url: str, act: Callable[[Broker], Awaitable[None]]) -> None:
    broker = open_broker(broker_url, "bench")
    try:
        await act(broker)
    finally:
        await broker.aclose()


async def _ask(broker: Broker, user_id: str, count: int) -> None:
    for begun in range(0, count, AT_ONCE):
        wishes = [_wish(user_id) for _ in range(min(AT_ONCE, count - begun))]
        await asyncio.gather(*(broker.publish("purchases", wish, timeout_s=30) for wish in wishes))


def _wish(user_id: str) -> Envelope:
    body = {"itemId": str(uuid4())}
    return Envelope(str(uuid4()), "purchase.requested.v1", body, datetime.now(UTC), subject=user_id)


async def _filled(broker: Broker) -> None:
    declared = load(TOPOLOGY)
    (queue,) = (one for one in declared.queues if one.exchange == MAILS)
    await broker.declare(Topology({MAILS: declared.writers[MAILS]}, (replace(queue, max_length=MOST_MAILS),)))
    with suppress(PublishRefused):
        for _ in range(10 * MOST_MAILS):
            await broker.publish(MAILS, Envelope(str(uuid4()), MAIL, {}, datetime.now(UTC)))
        raise RuntimeError("the mail queue takes more than its limit")


def _while_draining(running: System, pid: int) -> Iterator[float]:
    until = time.monotonic() + DRAINED_WITHIN_S
    while time.monotonic() < until:
        yield _rss_mib(pid)
        if not asyncio.run(_depth(running.broker_url)):
            break
        time.sleep(0.25)


async def _depth(broker_url: str) -> int:
    broker = open_broker(broker_url, "bench")
    try:
        return await broker.depth("account.purchases")
    finally:
        await broker.aclose()


def _rss_mib(pid: int) -> float:
    return round(psutil.Process(pid).memory_info().rss / 2**20, 1)
