"""How a movable may move by itself, as routes.yaml says it: the steps of its plan and what holds for each of them."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from strangler_gateway.table.rules.time_window import TimeWindow

_STEP = re.compile(r"(?:(shadow|extracted)|canary +([0-9]{1,3}(?:\.[0-9]{1,2})?) ?%)(?: +([0-9]{1,9})(s|m|h|d))?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_ORDER = ("legacy", "shadow", "canary", "extracted")


@dataclass(frozen=True, slots=True)
class PlanStep:
    """`share` in basis points, in canary only. `at_least_s`: how long the movable stays there even if all is well."""

    state: Literal["shadow", "canary", "extracted"]
    share: int = 0
    at_least_s: float = 0.0

    @property
    def rank(self) -> tuple[int, int]:
        """Orders steps as positions are ordered."""
        return _ORDER.index(self.state), self.share

    def __str__(self) -> str:
        return f"canary {self.share / 100:g} %" if self.state == "canary" else self.state


def parse_step(text: str) -> PlanStep:
    """`shadow 1h`, `canary 10% 1h`, `extracted`. Raises ValueError with what was seen and wanted."""
    found = _STEP.fullmatch(text.strip())
    if found is None:
        raise ValueError(_no_step(text))
    share, number, unit = found.groups()[1:]
    at_least_s = float(int(number) * _SECONDS[unit]) if number else 0.0
    if found[1] == "shadow":
        return PlanStep("shadow", 0, at_least_s)
    if found[1] == "extracted":
        if number:
            raise ValueError(f'"{text[:60]}": nothing follows extracted, so write it without a time')
        return PlanStep("extracted")
    points = round(float(share) * 100)
    if not 0 < points <= 10_000:
        raise ValueError(f'"{text[:60]}": a share is more than 0 % and at most 100 %')
    return PlanStep("canary", points, at_least_s)


def _no_step(text: str) -> str:
    seen = text[:60]
    if seen.strip().startswith("retired"):
        return f'"{seen}": a plan ends with extracted; retiring is a decision of a person'
    if seen.strip().startswith("canary"):
        return f'"{seen}" is no step; a canary has a share, such as "canary 10% 1h"'
    return f'"{seen}" is no step; write one such as "shadow 1h", "canary 10% 1h" or "extracted"'


def parse_steps(texts: Sequence[str]) -> tuple[PlanStep, ...]:
    """Each leads further than the one before. Raises ValueError."""
    steps = tuple(map(parse_step, texts))
    for before, step in itertools.pairwise(steps):
        if step.rank <= before.rank:
            raise ValueError(f"{step} does not lead further than {before}; a plan only goes forward")
    return steps


@dataclass(frozen=True, slots=True)
class NotifyRules:
    """Who is told: an URL that gets a signed POST, and a command that gets the same JSON on its standard input."""

    webhook: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanRules:
    """Shares in basis points, times in seconds."""

    steps: tuple[PlanStep, ...]
    auto: bool = False
    """It goes on by itself; else each step waits for `strangler advance`."""
    on_breach: Literal["rollback", "hold"] = "rollback"
    """What happens when the new side becomes slow or answers differently."""
    on_failures: Literal["rollback", "hold"] = "rollback"
    """What happens when it fails more often than legacy."""
    window: TimeWindow | None = None
    """When it may go forward. Back it goes at any time."""
    approve: tuple[PlanStep, ...] = ()
    """Steps that a second person has to approve."""
    holdback: int = 0
    """The share of the users who stay on legacy in extracted, so that there is something to compare with."""
    cool_down_s: float = 600.0
    """After an automatic rollback the plan does nothing for so long."""
    max_rollbacks: int = 3
    """Automatic rollbacks within 24 hours; then it asks for a person."""
    notify: NotifyRules = NotifyRules()

    def approvals(self, before: tuple[int, int], to: tuple[int, int]) -> list[PlanStep]:
        """Steps that need an approval, of those between two ranks, the second one included."""
        return [step for step in self.approve if before < step.rank <= to]
