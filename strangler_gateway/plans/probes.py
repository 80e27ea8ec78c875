"""When half of the users go to legacy for a moment, to tell a break from a fault that both sides have. Pure, no clock.

A probe never raises a share: it is an exception to where the group stands, and ends by itself.
"""

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.table.position import WHOLE, Position
from strangler_gateway.table.routes import MigrationState

LEAST_S, MOST_S = 10.0, 300.0
"""How long a probe lasts at least, and at most while nothing is found."""


class Probes:
    """By movable, when its last probe began; in seconds of the driver."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}

    def wanted(
        self, unit: str, position: Position, advice: Advice, now: float, cool_down_s: float, under_way: bool
    ) -> bool | None:
        """True: begin one; False: end it; None: all stays as it is. `cool_down_s`: between two of them."""
        if under_way:
            lasted = now - self._began.setdefault(unit, now)
            over = lasted >= MOST_S or (advice is Advice.OK and lasted >= LEAST_S)
            return False if over else None
        began = self._began.get(unit)
        if advice is not Advice.PROBE or not _is_high(position) or (began is not None and now - began < cool_down_s):
            return None
        self._began[unit] = now
        return True


def _is_high(position: Position) -> bool:
    """More than half of the users are on the new side."""
    return position.state is MigrationState.EXTRACTED or position.share > WHOLE // 2
