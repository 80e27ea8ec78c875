"""Confidence limits for one part, and for the difference of two parts. Pure."""

import math
from dataclasses import dataclass

Z = 2.326
"""One-sided 99 % of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """`part` of `of` observations; `of` is an effective number where strata were weighted."""

    part: float
    of: float


def wilson(one: Proportion, z: float = Z) -> tuple[float, float]:
    """Wilson's score limits of a part (Wilson 1927); without an observation it may be anything."""
    if one.of <= 0:
        return 0.0, 1.0
    square = z * z / one.of
    centre = (one.part + square / 2) / (1 + square)
    half = math.sqrt(square * (one.part * (1 - one.part) + square / 4)) / (1 + square)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def newcombe(new: Proportion, legacy: Proportion, z: float = Z) -> tuple[float, float]:
    """Limits of new - legacy (Newcombe 1998, method 10). Without a legacy observation, legacy counts as faultless."""
    (new_low, new_high), (legacy_low, legacy_high) = wilson(new, z), wilson(legacy, z)
    difference = new.part - legacy.part
    lower = difference - math.hypot(new.part - new_low, legacy_high - legacy.part)
    upper = difference + math.hypot(new_high - new.part, legacy.part - legacy_low)
    return lower, upper
