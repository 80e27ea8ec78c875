"""What goes wrong in `make chaos`, one thing at a time: each event breaks something, waits until the traffic follows,
and repairs it. An AssertionError says what did not follow.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.faults.chaos.audit import FORWARD, Sent
from tests.faults.chaos.scene import INSTANCES, Scene, passing, tell
from tests.support.gateway.many import OneOfMany
from tests.support.system.processes import Process
from tests.support.system.waiting import until

FOLLOWS_WITHIN_S = 60.0
QUIET_S = 0.8
"""So long nothing may have suffered before the traffic counts as having followed."""
SUFFERS_S = 0.6
"""A request that takes longer has met something that hangs."""
AWAY_S = (1.0, 2.0)
SILENT_S = (1.5, 4.0)
"""An agent that says nothing is noticed within three."""
POLL_S = 0.05


@dataclass
class Events:
    """`followed`: for each kind of event, the seconds until the traffic followed."""

    scene: Scene
    chance: random.Random
    followed: dict[str, list[float]] = field(default_factory=dict)
    added: int = INSTANCES

    def kinds(self) -> dict[str, Callable[[], str]]:
        """Each does one event, and returns what it did."""
        return {
            "instance killed": self.instance_killed,
            "instance suspended": self.instance_suspended,
            "instance slow": self.instance_slow,
            "instance answers 500": self.instance_fails,
            "instance deregistered": self.instance_deregistered,
            "instance added": self.instance_added,
            "Consul restarted": self.consul_restarted,
            "Consul suspended": self.consul_suspended,
            "Consul cut from one": self.consul_cut,
            "Consul wiped": self.consul_wiped,
            "Redis killed": self.redis_killed,
            "gateway killed": self.gateway_killed,
            "two flips at once": self.two_flips,
            "rollback": self.rollback,
            "rollback without Consul": self.rollback_without_consul,
            "rolling restart": self.rolling_restart,
        }

    def instance_killed(self) -> str:
        one = self._any_instance()
        began = time.monotonic()
        one.kill()
        gone = self._left(one, began, "instance killed")
        self._until_passing(INSTANCES - 1)
        back = self._back(one, one.start, "instance started")
        return f"{one.name}: gone in {gone:.2f} s, back in {back:.2f} s"

    def instance_suspended(self) -> str:
        one = self._any_instance()
        began = time.monotonic()
        one.pause()
        gone = self._left(one, began, "instance suspended")
        self._until_passing(INSTANCES - 1)
        back = self._back(one, one.go_on, "instance resumed")
        return f"{one.name}: gone in {gone:.2f} s, back in {back:.2f} s"

    def instance_slow(self) -> str:
        one = self._any_instance()
        began = time.monotonic()
        tell(one, "slow")
        until(lambda: self._part(one, began) < 1 / 6, f"{one.name} is slow, and gets less", FOLLOWS_WITHIN_S, POLL_S)
        less = self._note("instance slow", max(0.0, time.monotonic() - QUIET_S - began))
        tell(one, "well")
        return f"{one.name}: it gets less than half of its part after {less:.2f} s"

    def instance_fails(self) -> str:
        one = self._any_instance()
        began = time.monotonic()
        tell(one, "fail")
        try:
            gone = self._left(one, began, "instance answers 500")
        finally:
            tell(one, "well")
            self.scene.failing.append((one.name, began, time.monotonic()))
        back = self._back(one, lambda: None, "instance answers again")
        return f"{one.name}: left out in {gone:.2f} s, back in {back:.2f} s"

    def instance_deregistered(self) -> str:
        one = self._any_instance()
        gone = self._withdrawn(one, "instance deregistered")
        self.scene.instances.append(one)
        back = self._back(one, self.scene.enlist, "instance registered")
        return f"{one.name}: gone in {gone:.2f} s, back in {back:.2f} s"

    def instance_added(self) -> str:
        self.added += 1
        one = self.scene.instance(f"{FORWARD}-{self.added}")
        self.scene.instances.append(one)
        came = self._back(one, self.scene.enlist, "instance added")
        oldest = self.scene.instances[0]
        self._withdrawn(oldest, "instance deregistered")
        oldest.stop()
        return f"{one.name}: asked in {came:.2f} s, in the place of {oldest.name}"

    def consul_restarted(self) -> str:
        self.scene.consul.restart()
        return f"the gateways agree after {self._agreed('Consul restarted'):.2f} s"

    def consul_suspended(self) -> str:
        self.scene.consul.suspend()
        time.sleep(self.chance.uniform(*SILENT_S))
        self.scene.consul.resume()
        return f"the gateways agree after {self._agreed('Consul suspended'):.2f} s"

    def consul_cut(self) -> str:
        """A partition: one gateway and the instances' changes do not see each other."""
        one = self._any_gateway()
        one.cut()
        instance = self._any_instance()
        gone = self._killed_unseen(instance)
        one.heal()
        agreed = self._agreed("Consul cut from one")
        back = self._back(instance, instance.start, "instance started")
        return (
            f"{one.name}; {instance.name} killed, gone in {gone:.2f} s, back in {back:.2f} s;"
            f" the gateways agree after {agreed:.2f} s"
        )

    def consul_wiped(self) -> str:
        before = self.scene.agree()
        self.scene.consul.wipe()
        agreed = self._agreed("Consul wiped")
        assert (after := self.scene.agree()) == before, f"a wiped store moved the group from {before} to {after}"
        self._until_passing(INSTANCES)
        return f"the gateways agree after {agreed:.2f} s, on {before} as before"

    def redis_killed(self) -> str:
        self.scene.redis.kill()
        time.sleep(self.chance.uniform(*AWAY_S))
        self.scene.redis.start()
        began = time.monotonic()
        writes = self._first(
            "Redis killed", began, lambda: any(one.write and one.is_done for one in self._since(began))
        )
        return f"writes pass {writes:.2f} s after its new start"

    def gateway_killed(self) -> str:
        one = self._any_gateway()
        since = time.monotonic()
        one.kill()
        self.scene.killed.append((one.name, since, time.monotonic()))
        time.sleep(self.chance.uniform(0, 1))
        one.start()
        began = time.monotonic()
        back = self._first(
            "gateway killed", began, lambda: any(got.gateway == one.name and got.is_done for got in self._since(began))
        )
        self.scene.agree()
        return f"{one.name}: asked {back:.2f} s after its new start"

    def two_flips(self) -> str:
        """The second one has judged and is about to write when the first one writes (S5).

        On a busy machine it may get through, or be told of no answer: then they try again.
        """
        first, second = self.chance.sample(self.scene.gateways, 2)
        for _ in range(10):
            self.scene.agree()
            won, lost = self._raced(first, second)
            told = str(lost["refusals"])
            knew = won["before"]["share"] == 60  # the second one was through before the first one judged
            assert knew or not (won["done"] and lost["done"]), f"{second.name}: both flips were done: {won}, {lost}"
            if won["done"] and first.name in told:
                break
            self.scene.forward()
        assert won["done"], f"{first.name}: {won}"
        assert first.name in told, f"{second.name} is not told who moved it: {told}"
        self.scene.agree("canary 70")
        self.scene.forward()
        return f"{first.name} won, {second.name} was told"

    def _raced(self, first: OneOfMany, second: OneOfMany) -> tuple[dict[str, Any], dict[str, Any]]:
        with ThreadPoolExecutor() as pool:
            second.line.up.bytes_per_s = 1000
            try:
                late = pool.submit(second.flip, "canary", 60)
                until(lambda: second.writes("PUT /v1/txn"), f"{second.name} begins to write its flip", poll_s=0.01)
                won = first.flip("canary", 70)
            finally:
                second.heal()
            return won, late.result()

    def rollback(self) -> str:
        answered = self._note("rollback", self.scene.rollback(self._any_gateway()))
        self.scene.agree("legacy held")
        self.scene.forward()
        return f"answered in {answered:.2f} s, released, forward again"

    def rollback_without_consul(self) -> str:
        self.scene.consul.stop()
        one = self._any_gateway()
        answered = self._note("rollback without Consul", self.scene.rollback(one))
        time.sleep(self.chance.uniform(*AWAY_S))
        self.scene.consul.start()
        agreed = self._agreed("Consul back after a rollback", "legacy held")
        self.scene.forward()
        return f"{one.name} answered in {answered:.2f} s; on hold everywhere {agreed:.2f} s after Consul's return"

    def rolling_restart(self) -> str:
        """Of everything, one after the other."""
        began = time.monotonic()
        for one in self.scene.gateways:
            self.scene.replace(one)
        for instance in list(self.scene.instances):
            self._withdrawn(instance, "instance deregistered")
            instance.stop()
            instance.start()
            self.scene.instances.append(instance)
            self._back(instance, self.scene.enlist, "instance registered")
        self.scene.registrar.stop()
        self.scene.registrar.launch()
        self.scene.consul.restart()
        self.scene.redis.stop()
        self.scene.redis.start()
        self._agreed("Consul restarted")
        return f"everything once in {time.monotonic() - began:.1f} s"

    def _killed_unseen(self, one: Process) -> float:
        began = time.monotonic()
        one.kill()
        return self._left(one, began, "instance killed")

    def _withdrawn(self, one: Process, kind: str) -> float:
        self.scene.instances.remove(one)
        began = time.monotonic()
        self.scene.enlist()
        return self._left(one, began, kind)

    def _any_instance(self) -> Process:
        self._until_passing(INSTANCES)
        return self.chance.choice(self.scene.instances)

    def _any_gateway(self) -> OneOfMany:
        return self.chance.choice(self.scene.gateways)

    def _until_passing(self, number: int) -> None:
        until(lambda: passing(self.scene) == number, f"Consul knows {number} healthy instances", FOLLOWS_WITHIN_S)

    def _left(self, one: Process, began: float, kind: str) -> float:
        """Until no request reaches it and none suffers: from the event to the last one that did."""
        last = began

        def quiet() -> bool:
            nonlocal last
            now = time.monotonic()
            hanging = [since for since in list(self.scene.traffic.under_way.values()) if now - since > SUFFERS_S]
            suffered = [
                got.began
                for got in self._since(began)
                if got.side == one.name or got.status == 0 or got.status >= 500 or got.ended - got.began > SUFFERS_S
            ]
            last = max([last, *hanging, *suffered])
            return now - last >= QUIET_S and not hanging

        until(quiet, f"{kind}: the traffic leaves {one.name}", FOLLOWS_WITHIN_S, POLL_S)
        return self._note(kind, last - began)

    def _back(self, one: Process, repair: Callable[[], object], kind: str) -> float:
        repair()
        began = time.monotonic()
        return self._first(kind, began, lambda: any(got.side == one.name and got.is_done for got in self._since(began)))

    def _part(self, one: Process, began: float) -> float:
        """Its part of the service's requests of the last second."""
        now = time.monotonic()
        got = [got for got in self._since(max(began, now - QUIET_S)) if got.side.startswith(FORWARD)]
        return sum(each.side == one.name for each in got) / len(got) if got and now - began > QUIET_S else 1.0

    def _first(self, kind: str, began: float, holds: Callable[[], bool]) -> float:
        until(holds, kind, FOLLOWS_WITHIN_S, POLL_S)
        return self._note(kind, time.monotonic() - began)

    def _agreed(self, kind: str, on: str | None = None) -> float:
        began = time.monotonic()
        self.scene.agree(on)
        return self._note(kind, time.monotonic() - began)

    def _note(self, kind: str, seconds: float) -> float:
        self.followed.setdefault(kind, []).append(seconds)
        return seconds

    def _since(self, began: float) -> list[Sent]:
        return self.scene.traffic.since(began)
