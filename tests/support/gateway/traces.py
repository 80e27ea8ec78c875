"""The traces of gates.md's rule 2: what each second brings, drawn with splitmix64."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MASK = (1 << 64) - 1


class SplitMix64:
    """u = (x >> 11)·2⁻⁵³."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def draw(self) -> float:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        x = self._state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((x ^ (x >> 31)) >> 11) * 2.0**-53


class TraceTick(NamedTuple):
    """One second: of each request whether it failed, and how often the bot failed on the new side."""

    new: list[bool]
    legacy: list[bool]
    bot: int


@dataclass(frozen=True)
class Trace:
    """Requests to each side a tick, and the part that fails usually; from ticks on, other parts for (new, legacy)."""

    new: int
    legacy: int
    base: float
    events: tuple[tuple[int, int, float | None, float | None], ...]
    """From this tick, before that one, the part of the new side and of legacy that fails; None: as usual."""
    ticks: int = 2000
    legacy_every: int = 1
    bot: tuple[int, int] = (0, 0)

    def run(self, seed: int) -> Iterator[TraceTick]:
        draws = SplitMix64(seed)
        for tick in range(self.ticks):
            bad_new = bad_legacy = self.base
            for start, end, new, legacy in self.events:
                if start <= tick < end:
                    bad_new = self.base if new is None else new
                    bad_legacy = self.base if legacy is None else legacy
            asked = self.legacy if tick % self.legacy_every == 0 else 0
            failed_new = [draws.draw() < bad_new for _ in range(self.new)]
            failed_legacy = [draws.draw() < bad_legacy for _ in range(asked)]
            yield TraceTick(failed_new, failed_legacy, 2 * (self.bot[0] <= tick < self.bot[1]))


EVER = 1 << 30
TRACES = {
    "T1": Trace(1, 9, 0.005, ((700, EVER, 1.0, None),)),
    "T2": Trace(10, 90, 0.005, ((700, EVER, 0.055, None),)),
    "T3": Trace(9, 1, 0.005, ((700, 1000, 0.5, 0.5),)),
    "T4": Trace(2, 8, 0.01, ((700, 760, None, 1.0), (900, EVER, 1.0, None)), ticks=2500),
    "T5": Trace(2, 18, 0.005, (), bot=(700, 1900)),
    "T6": Trace(10, 1, 0.005, ((700, EVER, 0.5, None),), legacy_every=10),
}
