"""The choice between instances. Pure: a random number is drawn by an argument, at least 0, less than 1."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

_MIN_WEIGHT: Final = 0.1

Draw = Callable[[], float]
T = TypeVar("T")


def two_of(count: int, draw: Draw) -> tuple[int, int]:
    """Two different numbers below `count` (at least 2), each pair as often as any other."""
    first, second = divmod(int(draw() * (count * (count - 1))), count - 1)
    return first, second + (second >= first)


def weight(age_s: float, slow_start_s: float) -> float:
    """Of an instance that came so long ago: from a tenth at first, in a straight line up to 1."""
    if age_s >= slow_start_s:
        return 1.0
    return max(age_s / slow_start_s, _MIN_WEIGHT)


def taking_part(candidates: Sequence[T], weights: Sequence[float], draw: Draw) -> Sequence[T]:
    """Each as often as its weight says; all of them where none would."""
    chosen = [one for one, part in zip(candidates, weights, strict=True) if part >= 1.0 or draw() < part]
    return chosen or candidates
