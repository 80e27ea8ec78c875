"""Open-loop arrivals of POST /purchases: each is sent when it is due, even if earlier ones are unanswered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_CONNECTIONS_MOST = 256


@dataclass(frozen=True, slots=True)
class Order:
    """A user's token and the item to buy."""

    token: str
    item_id: str


@dataclass(slots=True)
class Arrivals:
    """The result of a load. `begun`: Location → the Unix time when the order was due."""

    statuses: dict[int, int] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    answered_ms: list[float] = field(default_factory=list)
    failed: int = 0


async def arrive(port: int, orders: Sequence[Order], rate: float) -> Arrivals:
    """Sends `rate` orders per second until none is left, and waits for the answers."""
    found, free = Arrivals(), asyncio.Queue[_OrderConnection | None]()
    for _ in range(_CONNECTIONS_MOST):
        free.put_nowait(None)
    began, wall = time.perf_counter(), time.time()
    async with asyncio.TaskGroup() as tasks:
        for number, order in enumerate(orders):
            due = number / rate
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            tasks.create_task(_order(port, order, free, found, began + due, wall + due))
    while not free.empty():
        if (connection := free.get_nowait()) is not None:
            connection.writer.close()
    return found


@dataclass(slots=True)
class _OrderConnection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _order(
    port: int, order: Order, free: "asyncio.Queue[_OrderConnection | None]", found: Arrivals, due: float, wall: float
) -> None:
    connection = await free.get()
    try:
        if connection is None:
            connection = _OrderConnection(*await asyncio.open_connection("127.0.0.1", port))
        status, location = await asyncio.wait_for(_ask(connection, order), 20)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        found.failed += 1
        free.put_nowait(None)
        return
    free.put_nowait(connection)
    found.answered_ms.append((time.perf_counter() - due) * 1000)
    found.statuses[status] = found.statuses.get(status, 0) + 1
    if location and status in (202, 204):
        found.begun[location.rpartition("/")[2]] = wall


async def _ask(connection: _OrderConnection, order: Order) -> tuple[int, str | None]:
    body = b'{"itemId":"%b"}' % order.item_id.encode()
    connection.writer.write(
        b"POST /purchases HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (order.token.encode(), len(body), body)
    )
    head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if length := int(fields.get("content-length", 0)):
        await connection.reader.readexactly(length)
    return int(head[0].split(" ")[1]), fields.get("location")
