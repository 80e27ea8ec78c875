"""Purchases through the whole system: `python -m benchmarks.purchase` (after make parts). The last line is JSON.

RabbitMQ, PostgreSQL, FerretDB, gateway, Account, Shop and the clients share this machine. Arrivals are open loop. A
purchase is measured from the moment it is due until Account's row is settled. `cpu_ms_per_purchase` is the CPU time of
gateway, Account and Shop at the highest rate that is sustained.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil
import psycopg
import uvloop

from benchmarks.purchase import baselines as purchase_baselines
from benchmarks.purchase import strain as purchase_strain
from benchmarks.purchase.load import Arrivals, Order, arrive
from tests.support.connected import fresh_mongo, fresh_postgres, fresh_rabbit
from tests.support.stores import Stores
from tests.support.system.purchasing import System, system

OURS = ("gateway", "account", "shop")
USERS = 1000
"""Each buys an item once, so their number keeps that of the items small: FerretDB reads a whole collection to find one
(2 ms of CPU for 30 items, where MongoDB takes no notice)."""
POINTS = 1_000_000
SETTLED = "SELECT id, extract(epoch FROM settled_at) FROM account.purchases WHERE state = 'COMPLETED'"
OPEN = "SELECT count(*) FROM account.purchases WHERE state IN ('DEBITED', 'CANCELLING')"
DRAIN_S = 60.0
WANTED = 150.0
"""Purchases/s; latencies are looked at under half of it, or of what is sustained where that is more."""
STEADY_MS = 500.0
"""Where the median of the last quarter is above it, there is a queue, whether it still grows or not."""
LATE = 0.02
"""Share of orders that may be answered 202 (their outcome came later) at a rate that counts as sustained."""


class Shoppers:
    """The running system, its users, and the items that they have not bought yet."""

    def __init__(self, running: System) -> None:
        self.system = running
        users = [running.data.add_user("guest", "user", points=POINTS) for _ in range(USERS)]
        self.users = users
        tokens = [running.data.login(user) for user in users]
        self._tokens, self._taken, self._items = tokens, count(), list[str]()

    def orders(self, number: int) -> list[Order]:
        """Each user buys each item once; new items are added when they are needed."""
        return [self._order(next(self._taken)) for _ in range(number)]

    def _order(self, number: int) -> Order:
        while number // USERS >= len(self._items):
            self._items.append(self.system.data.add_item(cost=1))
        return Order(self._tokens[number % USERS], self._items[number // USERS])

    def run(self, rate: float, seconds: float) -> "RateRun":
        """Runs one load, and waits until no purchase is open."""
        orders = self.orders(int(rate * seconds))
        before, since = _cpu_s(self.system), time.time()
        arrivals = uvloop.run(arrive(self.system.ports["gateway"], orders, rate))
        drained = self._drain()
        with psycopg.connect(self.system.stores.database_url) as connection:
            settled: dict[str, float] = {key: float(at) for key, at in connection.execute(SETTLED)}
        begun = sorted(arrivals.begun.items(), key=lambda one: one[1])
        took = [(settled[key] - at) * 1000 for key, at in begun if key in settled]
        after = _cpu_s(self.system)
        used = {name: (after[name] - before[name]) * 1000 / max(1, len(took)) for name in OURS}
        ages = purchase_strain.outbox_ages_ms(self.system.stores.database_url, since)
        return RateRun(rate, len(orders), arrivals, sorted(took), _medians(took), drained, used, ages)

    def _drain(self) -> float:
        """Seconds until the last open purchase was settled."""
        began = time.monotonic()
        with psycopg.connect(self.system.stores.database_url, autocommit=True) as connection:
            while time.monotonic() - began < DRAIN_S:
                (open_ones,) = connection.execute(OPEN).fetchone() or (0,)
                if not open_ones:
                    break
                time.sleep(0.05)
        return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class RateRun:
    """One rate. `took`: ms from due to settled, ascending. `cpu_ms`: CPU time of each of ours per purchase."""

    rate: float
    orders: int
    arrivals: Arrivals
    took: list[float]
    medians: list[float]
    """The median of each quarter of the orders, in the order in which they were due."""
    drained_s: float
    cpu_ms: dict[str, float]
    outbox_ms: list[float]
    """From each message's row to its confirm, ascending."""

    @property
    def sustained(self) -> bool:
        """All were bought, hardly any was answered late, and no queue grows: this rate could continue."""
        late = self.arrivals.statuses.get(202, 0)
        has_all = len(self.took) == self.orders and late <= LATE * self.orders and self.drained_s < 2
        return has_all and self.medians[-1] <= STEADY_MS

    def figures(self) -> dict[str, object]:
        """For the report."""
        return {
            "rate": self.rate,
            "orders": self.orders,
            "bought": len(self.took),
            "statuses": self.arrivals.statuses,
            "failed": self.arrivals.failed,
            "p50_ms": _rounded(self.took, 50),
            "p50_ms_by_quarter": [round(one, 1) for one in self.medians],
            "p99_ms": _rounded(self.took, 99),
            "answer_p99_ms": _rounded(sorted(self.arrivals.answered_ms), 99),
            "outbox_p99_ms": _rounded(self.outbox_ms, 99),
            "drained_s": round(self.drained_s, 2),
            "cpu_ms": {name: round(value, 2) for name, value in self.cpu_ms.items()},
        }


def _medians(took: Sequence[float]) -> list[float]:
    size = max(1, len(took) // 4)
    return [statistics.median(took[at : at + size] or [0.0]) for at in range(0, 4 * size, size)]


def _rounded(ascending: Sequence[float], percent: int) -> float | None:
    """The smallest value that `percent` of the values do not exceed."""
    return round(ascending[-(-len(ascending) * percent // 100) - 1], 1) if ascending else None


def main(argv: Sequence[str] | None = None) -> int:
    options = _arguments(argv)

    def say(line: str) -> None:
        if not options.json_only:
            print(line, flush=True)

    with shopping() as shop:
        say("warming up")
        shop.run(50, 4)
        raw, single = purchase_baselines.both(
            shop.system.broker_url, shop.system.stores.database_url, shop.users[0], options.seconds / 2
        )
        say(f"one confirmed publish after the other: {raw:.0f}/s; the monolith's single transaction: {single:.0f}/s")
        best: RateRun | None = None
        runs = []
        for rate in options.rates:
            run = shop.run(rate, options.seconds)
            runs.append(run)
            say(json.dumps(run.figures()))
            if not run.sustained:
                break
            best = run
        sustained = best.rate if best else 0.0
        half_rate = max(sustained, WANTED) / 2
        half = shop.run(half_rate, options.seconds)
        say(json.dumps(half.figures()))
        purchase_strain.fill_mail(shop.system)
        beside = shop.run(half_rate, options.seconds)
        say(f"with the mail queue full: {json.dumps(beside.figures())}")
        rss = {name: _rss_mib(shop.system, name) for name in OURS}
        backlog = purchase_strain.rss_over_backlog(shop.system, shop.users[0], options.backlog)
    result = {
        "purchases_per_s": sustained,
        "p99_ms": _rounded(half.took, 99),
        "p50_ms": _rounded(half.took, 50),
        "outbox_p99_ms": _rounded(half.outbox_ms, 99),
        "p99_ms_mail_full": _rounded(beside.took, 99),
        "backlog_rss_mib": backlog,
        "vs_raw_publish": round(sustained / raw, 3),
        "vs_monolith": round(sustained / single, 3),
        "cpu_ms_per_purchase": round(sum((best or half).cpu_ms.values()), 2),
        "cpu_ms_per_purchase_at_half": round(sum(half.cpu_ms.values()), 2),
        "raw_publish_per_s": round(raw),
        "monolith_per_s": round(single),
        "rss_mib": rss,
        "runs": [run.figures() for run in (*runs, half, beside)],
    }
    print(json.dumps(result))
    return 0 if sustained else 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.purchase", description=__doc__)
    rates = [100.0, 125.0, 150.0, 175.0, 200.0, 250.0, 300.0, 350.0, 400.0]
    parser.add_argument(
        "--rates", type=_rates, default=rates, help="purchases/s, ascending, comma-separated (default %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="per rate (default %(default)s)")
    parser.add_argument("--backlog", type=int, default=9900, help="requests in Account's queue (default %(default)s)")
    parser.add_argument("--json-only", action="store_true", help="print only the JSON line")
    return parser.parse_args(argv)


def _rates(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


@contextmanager
def shopping() -> Iterator[Shoppers]:
    """A new system on the running parts."""
    with tempfile.TemporaryDirectory() as folder:
        stores = Stores(fresh_postgres(), fresh_mongo())
        unarmed = {name: {"FAILPOINTS_FILE": ""} for name in OURS}  # which would be read at every step
        with system(Path(folder), stores, fresh_rabbit(), more=unarmed) as running:
            running.migrate()
            shop = Shoppers(running)
            running.start()
            yield shop


def _cpu_s(running: System) -> dict[str, float]:
    """CPU time of each of our processes so far."""
    times = {name: psutil.Process(getattr(running, name).running.pid).cpu_times() for name in OURS}
    return {name: used.user + used.system for name, used in times.items()}


def _rss_mib(running: System, name: str) -> float:
    process = getattr(running, name).running
    return round(psutil.Process(process.pid).memory_info().rss / 2**20, 1)


if __name__ == "__main__":
    sys.exit(main())
