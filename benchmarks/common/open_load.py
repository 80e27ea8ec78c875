"""A load that does not wait: so many requests a second, whatever becomes of them; each client has its patience."""

import asyncio
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

from benchmarks.common.report import percentile


@dataclass(slots=True)
class Outcomes:
    """Of all clients. Times in milliseconds."""

    answered_ms: list[float] = field(default_factory=list)
    """200 within the client's patience."""
    refused_ms: list[float] = field(default_factory=list)
    """503."""
    gave_up: int = 0
    other: int = 0

    def add(self, others: "Outcomes") -> None:
        """Those of other clients, too."""
        self.answered_ms += others.answered_ms
        self.refused_ms += others.refused_ms
        self.gave_up += others.gave_up
        self.other += others.other

    def figures(self, seconds: float) -> dict[str, float | None]:
        """Rates and tails."""
        return {
            "answered_in_time_per_s": round(len(self.answered_ms) / seconds, 1),
            "answered_p99_ms": _p99(self.answered_ms),
            "refused_per_s": round(len(self.refused_ms) / seconds, 1),
            "refused_p99_ms": _p99(self.refused_ms),
            "gave_up_per_s": round(self.gave_up / seconds, 1),
            "other_per_s": round(self.other / seconds, 1),
        }


class _Client(asyncio.Protocol):
    """One connection: one request at a time, used again after an answer."""

    def __init__(self, load: "OpenLoad") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._sent_at: float | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, begun: float) -> None:
        assert self._transport is not None
        self._sent_at = begun
        left_s = self._load.patience_s - (perf_counter() - begun)
        self._patience = asyncio.get_running_loop().call_later(max(left_s, 0.0), self._give_up)
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        if self._sent_at is None or self._patience is None:
            return
        took_ms, outcomes = (perf_counter() - self._sent_at) * 1000, self._load.outcomes
        self._patience.cancel()
        self._sent_at = None
        if data.startswith(b"HTTP/1.1 200"):
            outcomes.answered_ms.append(took_ms)
        elif data.startswith(b"HTTP/1.1 503"):
            outcomes.refused_ms.append(took_ms)
        else:
            outcomes.other += 1
        self._load.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sent_at is not None:
            self._load.outcomes.other += 1
            self._sent_at = None
        if self._patience is not None:
            self._patience.cancel()
        if self in self._load.idle:
            self._load.idle.remove(self)

    def leave(self) -> None:
        """Closes the connection."""
        assert self._transport is not None
        self._transport.abort()

    def _give_up(self) -> None:
        self._sent_at = None
        self._load.outcomes.gave_up += 1
        self.leave()


class OpenLoad:
    """GETs of one target at 127.0.0.1:port."""

    def __init__(self, port: int, target: str, patience_s: float) -> None:
        self.request = f"GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode()
        self.patience_s, self.lasts_s = patience_s, patience_s + 0.2
        self.idle: list[_Client] = []
        self.outcomes = Outcomes()
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, per_s: float, seconds: float) -> Outcomes:
        """Sends at an even pace, then waits until the last client has its answer or has given up."""
        begun, sent = perf_counter(), 0
        while (passed := perf_counter() - begun) < seconds:
            due = int(passed * per_s)
            for _ in range(due - sent):
                self._send()
            sent = due
            await asyncio.sleep(0.002)
        await asyncio.sleep(self.lasts_s)
        return self.outcomes

    def close(self) -> None:
        """Ends the connections that nobody waits on."""
        for client in self.idle:
            client.leave()

    def _send(self) -> None:
        if self.idle:
            self.idle.pop().ask(perf_counter())
        else:
            task = asyncio.create_task(self._connect(perf_counter()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, begun: float) -> None:
        try:
            async with asyncio.timeout(self.patience_s):
                made = await asyncio.get_running_loop().create_connection(
                    lambda: _Client(self), "127.0.0.1", self._port
                )
        except TimeoutError:
            self.outcomes.gave_up += 1
        except OSError:
            self.outcomes.other += 1
        else:
            made[1].ask(begun)


def _p99(values: list[float]) -> float | None:
    return round(percentile(values, 99), 1) if values else None
