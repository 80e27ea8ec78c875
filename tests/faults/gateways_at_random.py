"""Flips, rollbacks and releases at random on several gateways, while Consul and Redis are cut off, wiped and restored.

After every step: S1, after a rollback that a gateway has answered, it serves the group from the monolith until somebody
who saw the hold has released it; S6, nothing moves forward but by a flip; and a client gets what the state says. At
rest: S2, all serve what the store says, and a rollback that nobody has released holds everywhere.

`python -m tests.faults.gateways_at_random [--steps 10000] [--duration-s 60] [--seed N]`; the last line is JSON.
In a minute it makes about 1,300 flips, rollbacks and releases on two free cores. A flip takes 30 ms, in rounds that
follow each other: five to Consul, one to the other gateways, two to the disk. It waits for gateways that are cut off.
"""

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from parts.fresh import fresh_name
from parts.servers.consul import own
from strangler_gateway.cluster.record import RollbackName, held, position
from strangler_gateway.cluster.record_json import parse, parse_name
from strangler_gateway.table.position import LEGACY, Position, parse_place
from tests.support.gateway.many import CALLS, Many, OneOfMany
from tests.support.system.waiting import until

SHARES = (10, 20, 30, 40)
REST_EVERY = 60
"""Steps between two looks at rest."""


@dataclass
class AtRandom:
    """`answered`: the rollbacks that each gateway has answered; `released`: those that somebody has released."""

    many: Many
    random: random.Random
    answered: dict[str, set[RollbackName]] = field(default_factory=dict)
    released: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    backup: bytes = b""

    def run(self, steps: int, duration_s: float) -> None:
        """So many steps, or until the time is up and a flip and a rollback have happened."""
        end = time.monotonic() + duration_s
        actions = {
            self.flip: 8,
            self.back: 2,
            self.rollback: 2,
            self.release: 4,
            self.cut: 1,
            self.heal: 4,
            self.spoil: 1,
        }
        before = self.serves()
        for number in range(1, steps + 1):
            [action] = self.random.choices(list(actions), list(actions.values()))
            moved = action(self.random.choice(self.many.gateways))
            before = self.look(before, moved)
            if number % REST_EVERY == 0:
                self.rest()
                before = self.serves()
            if time.monotonic() > end and self.counts["flips"] and self.counts["rollbacks"]:
                break
        self.rest()

    def flip(self, one: OneOfMany) -> bool:
        """Forward, as far as one step goes."""
        if one.route["state"] == "legacy":
            return self._count("flips", one.flip("shadow")["done"])
        return self._count("flips", one.flip("canary", self.random.choice(SHARES))["done"])

    def back(self, one: OneOfMany) -> bool:
        to = self.random.choice(("legacy", "shadow"))
        return self._count("flips", one.flip(to)["done"])

    def rollback(self, one: OneOfMany) -> bool:
        answer = one.rollback()
        assert answer["held"], answer
        self.answered.setdefault(one.name, set()).add(parse_name(answer["rollback"]))
        self._count("rollbacks", True)
        return False

    def release(self, one: OneOfMany) -> bool:
        if self._count("releases", one.release()["done"]):
            self._note_released()
        return False

    def cut(self, one: OneOfMany) -> bool:
        """From Consul or Redis; the others, too, do not reach it then."""
        if self.random.random() < 0.3:
            one.redis_line.refuses = True
            one.redis_line.cut()
        else:
            one.cut()
            one.admin_line.refuses = self.random.random() < 0.5
            one.admin_line.cut()
        return self._count("cuts", False)

    def heal(self, one: OneOfMany) -> bool:
        for line in (one.line, one.admin_line, one.redis_line):
            line.heal()
        return False

    def spoil(self, one: OneOfMany) -> bool:
        """Wipes the store, backs it up, or restores an older backup of it."""
        kind = self.random.choice(("wipe", "backup", "backup", "restore", "nothing", "nothing"))
        if kind == "backup":
            self.backup = self.many.server.snapshot()
        elif kind == "restore" and self.backup:
            self.many.server.restore(self.backup)
        elif kind == "wipe":
            CALLS.delete(f"{self.many.server.url}/v1/kv/{self.many.prefix}/?recurse").raise_for_status()
        self._count(kind, True)
        return False

    def look(self, before: dict[str, Position], moved: bool) -> dict[str, Position]:
        """S1 and S6, and one request of a client. Where the group stands on each gateway now."""
        now = self.serves()
        furthest = max(where.rank for where in before.values())
        for name, where in now.items():
            if where != LEGACY:
                open_ = [one for one in self.answered.get(name, ()) if one.number > self.released.get(one.run, 0)]
                assert not open_, f"S1: {name} serves {where}, and {open_} are not released"
            if not moved and where.rank > furthest:
                self._passes(name, furthest, f"S6: {name} serves {where}; before: {before}")
        one = self.random.choice(self.many.gateways)
        answer = one.get(f"user-{self.random.randrange(50)}")
        assert answer.status_code == 200, (one.name, answer)
        if now[one.name] == LEGACY == _place(one):
            assert answer.json()["side"] == "monolith", (one.name, answer.text)
        return now

    def _passes(self, name: str, furthest: tuple[int, int], breach: str) -> None:
        """A gateway that is slow follows two flips one after the other, and does not stay at the first."""
        [one] = [one for one in self.many.gateways if one.name == name]
        until(lambda: _place(one).rank <= furthest, breach)

    def rest(self) -> None:
        """S2: all agree with the store, and every rollback that nobody has released holds."""
        for one in self.many.gateways:
            self.heal(one)
        until(self._agrees, "all serve what the store says", 60, 0.1)
        record = parse(self.many.stored())
        missing = [
            one for each in self.answered.values() for one in each if record.rolled_back.get(one.run, 0) < one.number
        ]
        assert not missing, f"S2: the store does not know {missing}"
        is_open = any(one.number > self.released.get(one.run, 0) for each in self.answered.values() for one in each)
        assert held(record) == is_open, f"S2: {self.many.stored()}"
        self._count("rests", True)

    def serves(self) -> dict[str, Position]:
        """Where the group stands on each gateway."""
        return {one.name: _place(one) for one in self.many.gateways}

    def _agrees(self) -> bool:
        stored = self.many.stored()
        if stored is None:
            return False
        record = parse(stored)
        if set(self.serves().values()) != {position(record)}:
            return False
        return all(one.ask("GET", "gateways")[1]["agreed"] for one in self.many.gateways)

    def _note_released(self) -> None:
        """What a release has released: it is in the store when it is answered."""
        for run, number in ((self.many.stored() or {}).get("released") or {}).items():
            self.released[run] = max(number, self.released.get(run, 0))

    def _count(self, what: str, done: bool) -> bool:
        self.counts[what if done else f"{what} refused"] += 1
        return done


def _place(one: OneOfMany) -> Position:
    row = one.route
    return parse_place({"state": row["state"], "share": row["share"] or 0})


def run(folder: Path, steps: int, duration_s: float, seed: int) -> Counter[str]:
    """Raises AssertionError with the seed."""
    (folder / "consul").mkdir()
    with own(folder / "consul") as server:
        settings = {"STRANGLER_STORE_WAIT_S": "0.2", "STRANGLER_CONSUL_TIMEOUT_S": "3"}
        with Many(folder, server, fresh_name(), 3, **settings) as many:
            many.monolith.answer = {"side": "monolith"}
            many.shop.answer = {"side": "shop"}
            world = AtRandom(many, random.Random(seed))  # a seeded run
            try:
                world.run(steps, duration_s)
            except AssertionError as exc:
                raise AssertionError(f"seed {seed}, after {dict(world.counts)}: {exc}") from exc
            return world.counts


def main() -> None:
    """The command."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--steps", type=int, default=10_000)
    said.add_argument("--duration-s", type=float, default=60)
    said.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = said.parse_args()
    print(f"seed {given.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = run(Path(folder), given.steps, given.duration_s, given.seed)
    actions = sum(number for what, number in counts.items() if what.startswith(("flips", "rollbacks", "releases")))
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"seed": given.seed, "seconds": seconds, "actions": actions, **counts}))


if __name__ == "__main__":
    main()
