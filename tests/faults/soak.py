"""Random buyers and faults, audited every second: `python -m tests.faults.soak` (needs make parts).

The last line counts lost, recovered, unexpected and duplicated purchases. Exit code 1 on a breach. Ctrl-C ends it early
with the audit.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from parts.servers import rabbit
from tests.support.system.books import Books
from tests.support.system.crowd import Crowd, Wish
from tests.support.system.invariants import Known, breaches, terminal_changed
from tests.support.system.mishaps import Mishaps
from tests.support.system.scene import Buyer, Scene, embedded, on_parts

BUYERS, ITEMS, AT_ONCE = 40, 30, 4
CANCEL_AFTER_S = 5
AT_REST_WITHIN_S = 90
AUDIT_EVERY_S = 1.0


@dataclass
class Soak:
    """`seed` determines what buyers want and which faults come; the machine determines the timing."""

    scene: Scene
    seed: int
    server: rabbit.RabbitServer | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    wrong: list[str] = field(default_factory=list)
    mishaps: int = 0

    def run(self, duration_s: float) -> None:
        """Runs until time is up, a breach, or Ctrl-C."""
        until = time.monotonic() + duration_s
        users = [self.scene.buyer(points=200) for _ in range(BUYERS)]
        items = [self.scene.item(cost=5 + n % 20, left=n if n % 2 else None) for n in range(1, ITEMS + 1)]
        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            working = [pool.submit(self._buy, number, users, items) for number in range(AT_ONCE)]
            working.append(pool.submit(self._break))
            try:
                self._audit(until)
            except KeyboardInterrupt:
                print("ending", flush=True)
            self.ended.set()
            for work in working:
                work.result()

    def _audit(self, until: float) -> None:
        before: Books | None = None
        while time.monotonic() < until and not self.wrong:
            found = self.scene.books.read()
            self.wrong += breaches(found, Known(self.scene.granted, at_rest=False))
            self.wrong += terminal_changed(before, found) if before else []
            before = found
            time.sleep(AUDIT_EVERY_S)

    def _buy(self, number: int, users: Sequence[Buyer], items: Sequence[str]) -> None:
        chance = random.Random(f"{self.seed} buyer {number}")
        while not self.ended.is_set():
            buyer = chance.choice(users)
            key = None if chance.random() < 0.3 else f"{chance.getrandbits(64):x}"
            wish = Wish(buyer.user_id, buyer.token, chance.choice(items), key)
            self.scene.orders.append(Crowd(self.scene.system, tries=3).ask_one(wish))
            time.sleep(chance.uniform(0, 0.2))

    def _break(self) -> None:
        mishaps = Mishaps(self.scene, random.Random(f"{self.seed} faults"), self.server)
        while not self.ended.is_set():
            print(f"  {mishaps.one()}", flush=True)
            self.mishaps += 1
            self.ended.wait(mishaps.chance.uniform(0.5, 2))


@contextmanager
def _scene(folder: Path, is_embedded: bool) -> Iterator[tuple[Scene, rabbit.RabbitServer | None]]:
    with ExitStack() as stack:
        if is_embedded:
            yield stack.enter_context(embedded(folder, CANCEL_AFTER_S)), None
            return
        (folder / "rabbit").mkdir()
        server = stack.enter_context(rabbit.own(folder / "rabbit"))
        yield stack.enter_context(on_parts(folder, CANCEL_AFTER_S, server)), server


def soak(duration_s: float, seed: int, is_embedded: bool = False) -> int:
    """Returns the exit code."""
    print(f"seed {seed}, {duration_s:g} s", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        _scene(Path(folder), is_embedded) as (scene, server),
    ):
        soaking = Soak(scene, seed, server)
        soaking.run(duration_s)
        _, counted, at_rest = scene.audited(AT_REST_WITHIN_S)
        wrong = [*soaking.wrong, *at_rest]
        for breach in wrong:
            print(breach, file=sys.stderr)
        if wrong:
            _show_logs(Path(folder))
    print(f"seed {seed}: {len(scene.orders)} orders, {soaking.mishaps} faults; {counted}", flush=True)
    return 1 if wrong else 0


def _show_logs(folder: Path) -> None:
    """Prints the end of the processes' logs."""
    for log in sorted(folder.glob("*.log")):
        print(f"== {log.name}\n{log.read_text(errors='replace')[-20_000:]}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    duration_s = float(os.environ.get("DURATION_S") or 60)
    parser.add_argument(
        "--duration-s", type=float, default=duration_s, help="default: DURATION_S in the environment, or 60"
    )
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run; the default is a new one")
    parser.add_argument("--embedded", action="store_true", help="on SQLite, without make parts")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    return soak(options.duration_s, seed, options.embedded)


if __name__ == "__main__":
    sys.exit(main())
