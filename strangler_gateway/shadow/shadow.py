"""Shadow: when the primary's answer has gone, the new end is asked the same, and the two answers are compared."""

import asyncio
import secrets
import time
from collections.abc import Callable
from functools import partial

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.taps import Capture
from strangler_gateway.http.content_coding import TooLarge, decodable
from strangler_gateway.shadow.comparison import compare, compiled, persisting
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.shadow.second_call import Reading, SecondCalls, Truncated
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.telemetry.migration_steps.parity import DIFFERENT, EQUAL, MOVED
from strangler_gateway.telemetry.stats import Stats

METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""The safe ones (RFC 9110 §9.2.1) but TRACE, whose answer is the request itself."""
INLINE_BYTES = 16 * 1024
"""Bodies longer than this are compared in a thread: the loop has users to serve."""
READ_AGAIN = 3
"""At most, while the answers change. A value that is new in each answer, such as the time, is then a difference."""

Answers = tuple[Reading, Reading]
"""The monolith's, and the new end's."""
Differences = tuple[Difference, ...]


class Shadow:
    """At most `concurrency` comparisons of a route at a time, counted from the first byte that is kept."""

    def __init__(
        self,
        calls: SecondCalls,
        stats: Stats,
        throttle: LogThrottle,
        examples: Examples,
        sample: Callable[[int], int] = secrets.randbelow,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: the clock of `Exchange.started`."""
        self._calls, self._stats, self._throttle, self._examples = calls, stats, throttle, examples
        self._sample, self._now = sample, now
        self._running: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tap(self, exchange: Exchange) -> Capture | None:
        """What collects the primary's answer; None where this request is not compared."""
        route, rules = exchange.route, exchange.route.shadow
        if rules is None or not rules.pure or exchange.method not in METHODS or route.extracted is None:
            return None
        if rules.share < 10_000 and self._sample(10_000) >= rules.share:
            return None
        stats = self._stats.route(route.id)
        has_body = exchange.head.meaning.length != 0
        if has_body or exchange.upgrade_to(route.legacy) or self._is_busy(route.id, rules.concurrency):
            stats.shadow_skipped += 1
            return None
        self._running[route.id] = self._running.get(route.id, 0) + 1
        capture = Capture(rules.max_body, True, partial(self._ended, exchange))
        exchange.on_done += (capture.abandon,)
        return capture

    def _is_busy(self, route_id: str, most: int) -> bool:
        return self._running.get(route_id, 0) >= most

    def _ended(self, exchange: Exchange, capture: Capture, whole: bool) -> None:
        """Compares what was captured, in a task: it starts after this callback, when the answer has gone."""
        if not whole:
            self._release(exchange.route.id)
            self._stats.route(exchange.route.id).shadow_skipped += 1
            return
        primary = Reading(capture.status, capture.fields, b"".join(capture.answer))
        seconds = self._now() - exchange.started
        task = asyncio.get_running_loop().create_task(self._run(exchange, primary, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _release(self, route_id: str) -> None:
        left = self._running[route_id] - 1
        if left:
            self._running[route_id] = left
        else:
            del self._running[route_id]

    async def aclose(self) -> None:
        """Ends the comparisons under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, exchange: Exchange, primary: Reading, seconds: float) -> None:
        """`seconds`: how long the primary's answer took."""
        stats = self._stats.route(exchange.route.id)
        try:
            began = self._now()
            answers = primary, await self._calls.extracted(exchange)
            took = self._now() - began
            self._stats.shadowed(exchange, answers[1].status)
            await self._judge(exchange, answers)
            if primary.status == answers[1].status and not answers[1].cut:
                self._stats.pair(exchange.route, (seconds, took), _sizes(*answers))
        except (Truncated, TooLarge):
            stats.shadow_skipped += 1
        except Exception as error:
            stats.shadow_failed += 1
            self._throttle.warn(f"shadow call of {exchange.route.id}", error)
        finally:
            self._release(exchange.route.id)

    async def _judge(self, exchange: Exchange, answers: Answers) -> None:
        """A difference counts when it is there again after both sides have been read once more."""
        plain = not all(decodable(answer.fields) for answer in answers) and answers[0].body != answers[1].body
        if plain:
            answers = await self._calls.both(exchange, plain)
        first = await _differences(exchange, *answers)
        lasting = await self._lasting(exchange, answers, first, plain) if first else ()
        outcome = DIFFERENT if lasting else MOVED if first else EQUAL
        names = [difference.name for difference in lasting]
        self._stats.compared(exchange.route, answers[0].status, outcome, names)
        if lasting:
            self._examples.add(exchange, lasting)

    async def _lasting(self, exchange: Exchange, before: Answers, lasting: Differences, plain: bool) -> Differences:
        """Those that are there at each reading, up to one at which neither side's answer had changed.

        While an answer changes, a user's write may be what lies between the two sides: then both are read again.
        """
        for _ in range(READ_AGAIN):
            now = await self._calls.both(exchange, plain)
            lasting = persisting(lasting, await _differences(exchange, *now))
            if not lasting or not await _have_changed(exchange, before, now):
                break
            before = now
        return lasting


def _sizes(legacy: Reading, extracted: Reading) -> tuple[int, int] | None:
    """None where a content coding makes them incomparable."""
    codings = ({v for n, v in one.fields if n.lower() == b"content-encoding"} for one in (legacy, extracted))
    return (len(legacy.body), len(extracted.body)) if len(set(map(frozenset, codings))) == 1 else None


async def _have_changed(exchange: Exchange, before: Answers, now: Answers) -> bool:
    """Whether the answer of either side is another one than at the reading before."""
    return any([await _differences(exchange, *sides) for sides in zip(before, now, strict=True)])


async def _differences(exchange: Exchange, one: Reading, other: Reading) -> Differences:
    assert exchange.route.shadow is not None  # tap has looked
    rules, bound = compiled(exchange.route.shadow), exchange.route.shadow.max_body

    def work() -> Differences:
        return compare(one.seen(bound), other.seen(bound), rules)

    if len(one.body) + len(other.body) <= INLINE_BYTES:
        return work()
    return await asyncio.to_thread(work)
