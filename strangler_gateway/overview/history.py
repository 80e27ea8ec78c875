"""What was counted over time: the last minutes, and the last day."""

from strangler_gateway.overview.ring import Ring

FINE_POINTS, DAY_POINTS = 300, 720


class History:
    """A ring of samples for each picture."""

    def __init__(self) -> None:
        self.fine, self.day = Ring(FINE_POINTS), Ring(DAY_POINTS)
