"""When half of the users go to legacy for a moment, to tell a break from a fault that both sides have. Pure, no clock.

A probe never raises a share: it is an exception to where the group stands, and ends by itself.
"""

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.evidence.group_cards import GroupJudgement
from strangler_gateway.plans.decide import DAY_S
from strangler_gateway.table.position import WHOLE, Position
from strangler_gateway.table.routes import MigrationState

LEAST_S, MOST_S = 10.0, 300.0
"""How long a probe lasts at least while nothing is learned, and at most."""


class Probes:
    """By movable, when its probe began, and when the next one may begin; in seconds of the driver."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._undecided: dict[str, int] = {}
        """How many probes in a row have shown nothing."""

    def wanted(
        self, unit: str, position: Position, found: GroupJudgement, now: float, cool_down_s: float, under_way: bool
    ) -> bool | None:
        """True: begin one; False: end it; None: all stays as it is. `cool_down_s`: between two that taught nothing."""
        if under_way:
            return self._ends(unit, found, now, cool_down_s)
        if found.advice is not Advice.PROBE or not is_high(position) or now < self._not_before.get(unit, now):
            return None
        self._began[unit] = now
        return True

    def _ends(self, unit: str, found: GroupJudgement, now: float, cool_down_s: float) -> bool | None:
        lasted = now - self._began.setdefault(unit, now)
        if found.learned and not found.undecided:
            pause, undecided = 0.0, 0
        elif found.advice is Advice.OK and not found.undecided and lasted >= LEAST_S:
            pause, undecided = cool_down_s, 0
        elif lasted >= MOST_S:
            undecided = self._undecided.get(unit, 0) + 1
            pause = min(cool_down_s * 2**undecided, DAY_S)
        else:
            return None
        self._undecided[unit], self._not_before[unit] = undecided, now + pause
        return False


def is_high(position: Position) -> bool:
    """More than half of the users are on the new side."""
    return position.state is MigrationState.EXTRACTED or position.share > WHOLE // 2
