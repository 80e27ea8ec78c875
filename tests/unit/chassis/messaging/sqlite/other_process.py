"""Run by test_processes.py as a process of its own on a shared broker: publish | consume | hang PATH LEASE_S.

Tells what it did a line each on stdout: `publish` the id of each confirmed message, for ever; `consume` the number of
each handled message; `hang` the number of a message that it then handles for ever.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.port import Delivery
from chassis.messaging.sqlite.broker import SqliteBroker


async def publish(broker: SqliteBroker) -> None:
    while True:
        envelope = Envelope(new_id(), "thing.v1", {"filler": "x" * 2000}, datetime.now(UTC))
        await broker.publish("events", envelope)
        print(envelope.id, flush=True)


async def consume(broker: SqliteBroker) -> None:
    async def handle(delivery: Delivery) -> None:
        print(delivery.envelope().body["number"], flush=True)

    await _for_ever(broker, handle)


async def hang(broker: SqliteBroker) -> None:
    async def handle(delivery: Delivery) -> None:
        print(delivery.envelope().body["number"], flush=True)
        await asyncio.Event().wait()

    await _for_ever(broker, handle)


async def _for_ever(broker: SqliteBroker, handle: object) -> None:
    await broker.consume("things", handle, prefetch=5)  # type: ignore[arg-type]
    print("consuming", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    what, path, lease_s = sys.argv[1:]
    asyncio.run(
        {"publish": publish, "consume": consume, "hang": hang}[what](
            SqliteBroker(Path(path), what, lease_s=float(lease_s))
        )
    )
