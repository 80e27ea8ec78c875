"""What plans do by themselves when services fail, each in its own way, all at once: found, and how many were hurt."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.driven.faults import FAULTS
from tests.faults.driven.scene import Scene

pytestmark = pytest.mark.walk

SEED, WATCHED_S = 8, 60.0
PLAN = "plan: {auto: true, steps: [shadow 5s, canary 10% 10m, canary 50% 10m, extracted]}"
BY_NAME = {one.name: one for one in FAULTS}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one group. `seconds`: from the first request to the automatic rollback; None: there was none.

    `asked`: how many requests came within that time; on a busy machine many come at once.
    """

    state: str
    held: bool
    seconds: float | None
    asked: int
    hurt: int
    """Users who got a failure of the new side."""
    evidence: dict[str, Any]
    journal: list[dict[str, Any]]

    def verdict(self, rule: str) -> str:
        return next(str(one["verdict"]) for one in self.evidence["rules"] if one["rule"] == rule)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return asyncio.run(_watched(tmp_path_factory.mktemp("driven")))


async def _watched(folder: Path) -> dict[str, Outcome]:
    async with Scene(folder, FAULTS, PLAN, SEED) as scene:
        await asyncio.sleep(WATCHED_S)
        found = {name: await _outcome(scene, name) for name in BY_NAME}
    print(f"\n{'service':12}{'rolled back after':>20}{'users hurt':>12}{'at most':>10}")
    for name, one in found.items():
        after = "-" if one.seconds is None else f"{one.seconds:.1f} s"
        print(f"{name:12}{after:>20}{one.hurt:>12}{_most_hurt(name, one):>10.0f}")
    return found


async def _outcome(scene: Scene, name: str) -> Outcome:
    [row, *_] = [one for one in (await scene.get("/routes"))["routes"] if one["unit"] == name]
    journal = await scene.journal(name)
    back = next((one for one in journal if one["event"] == "rollback"), None)
    seconds = None if back is None else scene.since(back["time"])
    return Outcome(
        state=row["state"],
        held=row["held"],
        seconds=seconds,
        asked=sum(at <= (seconds or 0.0) for at in scene.upstreams.arrivals[name]),
        hurt=len(scene.upstreams.failed_users[name]),
        evidence=await scene.get(f"/groups/{name}/evidence"),
        journal=journal,
    )


def _most_hurt(name: str, one: Outcome) -> float:
    """The share of all requests until then: each can hurt one user."""
    share = float(BY_NAME[name].start.partition("share: ")[2] or 0) / 100
    return share * one.asked


@pytest.mark.parametrize("name", ["sometimes", "role", "writes", "flaps"])
def test_a_service_that_fails_more_than_the_monolith_is_rolled_back_by_itself(
    outcomes: dict[str, Outcome], name: str
) -> None:
    one = outcomes[name]
    assert (one.state, one.held) == ("legacy", True), one
    assert one.seconds is not None
    assert one.hurt <= _most_hurt(name, one) + 1
    [back] = [entry for entry in one.journal if entry["event"] == "rollback"]
    assert back["automatic"], back
    assert back["evidence"], back


@pytest.mark.parametrize("name", ["monolith", "both"])
def test_failures_of_the_monolith_or_of_both_sides_move_nothing(outcomes: dict[str, Outcome], name: str) -> None:
    one = outcomes[name]
    assert (one.state, one.held, one.journal) == ("canary", False, [])


def test_another_order_of_keys_is_no_difference_and_the_plan_goes_on(outcomes: dict[str, Outcome]) -> None:
    one = outcomes["order"]
    assert (one.state, [entry["who"] for entry in one.journal]) == ("canary", ["plan"])


@pytest.mark.parametrize(("name", "rule", "verdict"), [("type", "parity", "DIFFERENT"), ("slower", "latency", "SLOW")])
def test_another_type_and_a_slow_answer_are_found_before_any_user_meets_them(
    outcomes: dict[str, Outcome], name: str, rule: str, verdict: str
) -> None:
    one = outcomes[name]
    assert (one.state, one.verdict(rule)) == ("shadow", verdict), one
