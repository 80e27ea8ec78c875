"""A migration under fire: 200 users buy and submit while the group of points flips and rolls back every two seconds.

`python -m tests.support.system.under_fire --seconds 60` (make parts first) prints what was measured;
exit code 1 on a breach.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.support.connected import fresh_rabbit
from tests.support.stores import on_real_parts
from tests.support.system.books import Books, Reader
from tests.support.system.purchasing import Reply, System, system
from tests.support.system.waiting import until

USERS, ITEMS, CONTENTS = 200, 12, 4
POINTS, COST, REWARD = 30, 10, 7
AT_ONCE, EVERY_S = 12, 2.0
RACERS, ROUNDS = 12, 2
TOO_SLOW = re.compile(r'"event": "(outbox_stale|store_unavailable)".*"level": "error"')
FLIPS = "flips and rollbacks, one request of a user at a time"
SERIALISED = "canary 50 %, five requests of a user at once"
OWN = "share 0, five requests of a user at once: the monolith's own F1 and F4"
REFUNDS = "canary 50 %, refunds by the queue against submissions"


@dataclass
class Fighter:
    """A user and its rewards. It makes one request at a time unless it races."""

    user_id: str
    token: str
    granted: int = POINTS
    rewarded: set[str] = field(default_factory=set)
    busy: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Content:
    """An exercise; the monolith rewards each user once."""

    content_id: str
    component_id: str


@dataclass(frozen=True, slots=True)
class Counted:
    """One phase's result. `off`: users with wrong points; `made`, `lost`: the wrong points in total.

    `twice`: items that a user has twice. `by_monolith`, `by_services`: sales of each side; `refunded`: purchases.
    """

    off: int
    made: int
    lost: int
    twice: int
    by_monolith: int
    by_services: int
    refunded: int

    @property
    def is_sound(self) -> bool:
        return (self.off, self.twice) == (0, 0)

    def __str__(self) -> str:
        return (
            f"{self.off} users off, {self.made} points made, {self.lost} lost, {self.twice} items twice"
            f" ({self.by_monolith} sold by the monolith, {self.by_services} by the services, {self.refunded} refunded)"
        )


@dataclass
class Report:
    """All phases by name. `errors`: answers that the monolith would not give.

    `admitted`: purchases for which Account was too slow, by its log: it answered 500 and debited nobody.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    admitted: int = 0
    phases: dict[str, Counted] = field(default_factory=dict)
    moves: int = 0

    @property
    def unexplained(self) -> list[str]:
        """The errors, without as many failed purchases as Account's log admits."""
        failed = [error for error in self.errors if error.startswith("buy: 500")]
        return [error for error in self.errors if error not in failed] + failed[self.admitted :]


class UnderFire:
    """Monolith, services and gateway on one database."""

    def __init__(self, running: System, seed: int) -> None:
        self.system, self.chance = running, random.Random(seed)
        self.books = Reader(running.stores)
        self.report = Report()
        self.items = [running.data.add_item(cost=COST) for _ in range(ITEMS)]
        admin = running.data.login(running.data.add_user("admin"))
        self.contents = [self._content(admin) for _ in range(CONTENTS)]

    def fighters(self, number: int) -> list[Fighter]:
        """New users."""
        ids = [self.system.data.add_user("user", points=POINTS) for _ in range(number)]
        return [Fighter(user_id, self.system.data.login(user_id)) for user_id in ids]

    def flips(self, seconds: float) -> None:
        """Moves to canary and back every two seconds, while each user makes one request at a time."""
        fighters, ended = self.fighters(USERS), threading.Event()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fights = [pool.submit(self._fight, number, fighters, ended) for number in range(AT_ONCE)]
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                self.move_on()
                ended.wait(EVERY_S)
            ended.set()
            for fight in fights:
                fight.result()
        self.count(FLIPS, fighters)

    def move_on(self) -> None:
        """From canary by a rollback, from legacy by its release and a flip to a half."""
        self.report.moves += 1
        if self.report.moves % 2:
            self.system.administer("POST", "/release", {"unit": "points", "who": "test", "why": "under fire"})
            self.canary(50)
        else:
            self.rollback()

    def canary(self, share: int) -> None:
        asked = {"unit": "points", "to": "canary", "share": share, "who": "test", "why": "under fire", "force": True}
        reply = self.system.administer("POST", "/flip", asked)
        assert reply.status == 200, reply.body

    def rollback(self) -> None:
        reply = self.system.administer("POST", "/rollback", {"unit": "points", "who": "test", "why": "under fire"})
        assert reply.status == 200, reply.body

    def races(self, name: str) -> None:
        """Users with concurrent requests: without serialisation they meet the monolith's own faults F1 and F4."""
        fighters = self.fighters(RACERS)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for number in range(ROUNDS):
                done = [
                    pool.submit(act, fighter)
                    for fighter in fighters
                    for act in (
                        lambda fighter, n=number: self.buy(fighter, self.items[2 * n]),
                        lambda fighter, n=number: self.buy(fighter, self.items[2 * n]),
                        lambda fighter, n=number: self.buy(fighter, self.items[2 * n + 1]),
                        lambda fighter, n=number: self.submit(fighter, self.contents[n]),
                        lambda fighter, n=number: self.submit(fighter, self.contents[n]),
                    )
                ]
                for one in done:
                    one.result()
        self.count(name, fighters)

    def refunds(self, name: str) -> None:
        """Refunds from the queue while the monolith writes the same balance."""
        gone = self.system.data.add_item(cost=COST)
        self._stock(gone, 0)
        fighters = self.fighters(RACERS)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda fighter: self._bought_in_vain(fighter, gone), fighters))
        self._at_rest()
        self.count(name, fighters)

    def _bought_in_vain(self, fighter: Fighter, item_id: str) -> None:
        for content in self.contents:
            self.system.purchase(fighter.token, item_id)
            self.submit(fighter, content)

    def buy(self, fighter: Fighter, item_id: str) -> None:
        reply = self.system.buy(fighter.token, item_id)
        self._answered("buy", reply, (201, 403))

    def submit(self, fighter: Fighter, content: Content) -> None:
        body = {"contentId": content.content_id, "componentId": content.component_id}
        sent = body | {"language": "PYTHON", "code": "pass"}
        reply = self.system.ask("POST", "/submission", fighter.token, sent)
        self._answered("submit", reply, (201,))
        if reply.status == 201 and reply.json["data"]["success"]:
            fighter.rewarded.add(content.component_id)

    def count(self, name: str, fighters: Sequence[Fighter]) -> None:
        """Each user must have: granted points, plus a reward per component, minus a price per item."""
        found, users = self._at_rest(), {one.user_id for one in fighters}
        rows = [row for row in found.transactions.values() if row["user_id"] in users and row["deleted_at"] is None]
        has = Counter(row["user_id"] for row in {(row["user_id"], row["Object_id"]): row for row in rows}.values())
        off = [
            found.points[one.user_id] - (one.granted + REWARD * len(one.rewarded) - COST * has[one.user_id])
            for one in fighters
        ]
        ours = sum(row["id"] in found.purchases for row in rows)
        self.report.phases[name] = Counted(
            sum(by != 0 for by in off),
            sum(by for by in off if by > 0),
            -sum(by for by in off if by < 0),
            len(rows) - sum(has.values()),
            len(rows) - ours,
            ours,
            sum(row["state"] == "REFUNDED" and row["user_id"] in users for row in found.purchases.values()),
        )

    def _fight(self, number: int, fighters: Sequence[Fighter], ended: threading.Event) -> None:
        chance = random.Random(f"{self.chance.random()} {number}")
        while not ended.is_set():
            fighter = chance.choice(fighters)
            if not fighter.busy.acquire(blocking=False):
                continue
            try:
                if chance.random() < 0.6:
                    self.buy(fighter, chance.choice(self.items))
                else:
                    self.submit(fighter, chance.choice(self.contents))
            finally:
                fighter.busy.release()

    def _answered(self, what: str, reply: Reply, known: tuple[int, ...]) -> None:
        self.report.statuses[f"{what} {reply.status}"] += 1
        if reply.status not in known:
            self.report.errors.append(f"{what}: {reply.status} {reply.body[:200]!r}")

    def _at_rest(self) -> Books:
        def settled() -> Books | None:
            found = self.books.read()
            is_open = any(row["state"] in ("DEBITED", "CANCELLING") for row in found.purchases.values())
            earned = {id for id, row in found.rewards.items() if row["state"] == "earned"}
            return None if is_open or found.unpublished or earned - found.paid.keys() else found

        found = until(settled, "all purchases terminal, all rewards paid", within_s=180)
        assert found is not None
        return found

    def _stock(self, item_id: str, left: int) -> None:
        with psycopg.connect(self.system.stores.database_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO shop.stock (item_id, initial, restocked, sold, available, changed_at)"
                " VALUES (%s, %s, 0, 0, %s, now())",
                (item_id, left, left),
            )

    def _content(self, admin: str) -> Content:
        editor = {"type": "editor", "data": {"validators": []}}
        body = {
            "name": "under fire",
            "description": "all submissions succeed",
            "type": "exercise",
            "reward": REWARD,
            "rootComponent": {"type": "container", "data": {"components": [editor]}},
            "data": {},
        }
        reply = self.system.ask("POST", "/content", admin, body)
        assert reply.status == 201, reply.body
        made = reply.json["data"]
        return Content(made["id"], made["rootComponent"]["data"]["components"][0]["id"])


@contextmanager
def under_fire(folder: Path, seed: int) -> Iterator[UnderFire]:
    """The whole system, with the group points in state legacy."""
    with system(folder, on_real_parts(folder), fresh_rabbit(), state="legacy") as running:
        running.migrate()
        running.start("monolith", "shop", "account", "runner", "learning", "gateway")
        fire = UnderFire(running, seed)
        try:
            yield fire
        finally:
            fire.books.close()


def measured(fire: UnderFire, seconds: float) -> Report:
    """Runs all phases."""
    fire.flips(seconds)
    if fire.report.moves % 2:
        fire.rollback()
    fire.races(OWN)
    fire.report.moves = 0
    fire.move_on()
    fire.races(SERIALISED)
    fire.refunds(REFUNDS)
    fire.report.admitted = len(TOO_SLOW.findall(fire.system.account.said()))
    return fire.report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.system.under_fire", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60, help="duration of flips and rollbacks (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, under_fire(Path(folder), options.seed) as fire:
        report = measured(fire, options.seconds)
    print(json.dumps({"statuses": report.statuses, "errors": report.unexplained[:10]}, indent=1))
    for name, counted in report.phases.items():
        print(f"{name}: {counted}")
    return 0 if not report.unexplained and report.phases[FLIPS].is_sound and report.phases[SERIALISED].is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
