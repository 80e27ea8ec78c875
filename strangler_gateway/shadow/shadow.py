"""Shadow: when the primary's answer has gone, the new end is asked the same, and the two answers are compared."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.taps import Tap
from strangler_gateway.shadow.comparison import compare, compiled, persisting
from strangler_gateway.shadow.content_coding import TooLarge, decodable
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.shadow.second_call import Calls, Reading, Truncated
from strangler_gateway.telemetry.stats import RouteStats

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

__all__ = ["Shadow", "Tap"]

METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""The safe ones (RFC 9110 §9.2.1) but TRACE, whose answer is the request itself."""
INLINE_BYTES = 16 * 1024
"""Bodies longer than this are compared in a thread: the loop has users to serve."""


class Shadow:
    """At most `concurrency` comparisons of a route at a time, counted from the first byte that is kept."""

    def __init__(self, sample: Callable[[int], int] = secrets.randbelow) -> None:
        self._sample = sample
        self._running: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._examples = Examples()

    def tap(self, gateway: "Gateway", x: Exchange) -> Tap | None:
        """What collects the primary's answer; None where this request is not compared."""
        route, rules = x.route, x.route.shadow
        if rules is None or not rules.pure or x.method not in METHODS or route.extracted is None:
            return None
        if rules.share < 10_000 and self._sample(10_000) >= rules.share:
            return None
        stats = gateway.stats.route(route.id)
        if x.head.length != 0 or x.head.websocket or self._running.get(route.id, 0) >= rules.concurrency:
            stats.shadow_skipped += 1
            return None
        self._running[route.id] = self._running.get(route.id, 0) + 1
        tap = Tap(rules.max_body, lambda: self._left(route.id, stats), lambda tap: self._submit(gateway, x, tap))
        x.on_done.append(tap.abandon)
        return tap

    def _left(self, route_id: str, stats: RouteStats) -> None:
        self._release(route_id)
        stats.shadow_skipped += 1

    def _release(self, route_id: str) -> None:
        left = self._running[route_id] - 1
        if left:
            self._running[route_id] = left
        else:
            del self._running[route_id]

    def _submit(self, gateway: "Gateway", x: Exchange, tap: Tap) -> None:
        """Compares what the tap has collected, in a task: it starts after this callback, when the answer has gone."""
        if tap.take():
            task = asyncio.get_running_loop().create_task(self._run(gateway, x, tap))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def examples(self, route_id: str) -> list[dict[str, object]]:
        """Differences seen, the latest first: paths and types, values only with `show_values`."""
        return self._examples.of(route_id)

    async def aclose(self) -> None:
        """Ends the comparisons under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, gateway: "Gateway", x: Exchange, tap: Tap) -> None:
        stats = gateway.stats.route(x.route.id)
        primary = Reading(tap.status, tap.fields, tap.content())
        try:
            await self._judge(Calls(gateway, x), x, primary, stats)
        except (Truncated, TooLarge):
            stats.shadow_skipped += 1
        except Exception as error:
            stats.shadow_failed += 1
            gateway.complaints.about(f"shadow call of {x.route.id}", error)
        finally:
            self._release(x.route.id)

    async def _judge(self, calls: Calls, x: Exchange, primary: Reading, stats: RouteStats) -> None:
        """A difference counts when it is there again after both sides have been read once more."""
        answers = primary, await calls.extracted()
        if not all(decodable(answer.fields) for answer in answers) and primary.body != answers[1].body:
            answers = await calls.both(plain=True)
        first = await _differences(x, *answers)
        lasting = persisting(first, await _differences(x, *await calls.both())) if first else ()
        stats.shadow_compared += 1
        if lasting:
            stats.shadow_different += 1
            self._examples.add(x, lasting)
        elif first:
            stats.shadow_moved += 1


async def _differences(x: Exchange, legacy: Reading, extracted: Reading) -> tuple[Difference, ...]:
    assert x.route.shadow is not None  # tap has looked
    rules, bound = compiled(x.route.shadow), x.route.shadow.max_body

    def work() -> tuple[Difference, ...]:
        return compare(legacy.seen(bound), extracted.seen(bound), rules)

    if len(legacy.body) + len(extracted.body) <= INLINE_BYTES:
        return work()
    return await asyncio.to_thread(work)
