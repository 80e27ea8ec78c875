"""Which instance fails more than the others, and for how long it is left out. Pure."""

from dataclasses import dataclass
from typing import Final

from strangler_gateway.table.rules.balance import EjectRules

MIN_REQUESTS: Final = 20
"""Of an instance within the window, before its rate counts."""
MAX_OUT_S: Final = 300.0
_TIMES_WORSE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Recent:
    """What became of requests within the window. Errors: no answer, or one with a 5xx."""

    requests: int = 0
    errors: int = 0

    def __add__(self, other: "Recent") -> "Recent":
        return Recent(self.requests + other.requests, self.errors + other.errors)

    @property
    def rate(self) -> float:
        """The part that were errors."""
        return self.errors / self.requests if self.requests else 0.0


def is_outlier(in_a_row: int, own: Recent, others: Recent, rules: EjectRules) -> bool:
    """Too many failures in a row, or too large a part of errors; and at least twice the part that the others have.

    What all instances do alike is no reason: it is the request, or what is behind all of them.
    """
    row = 0 < rules.failures <= in_a_row
    rate = own.requests >= MIN_REQUESTS and 0 < rules.rate <= own.rate
    return (row or rate) and own.rate >= _TIMES_WORSE * others.rate


def may_be_ejected(out: int, instances: int, rules: EjectRules) -> bool:
    """Whether one more may be left out, beside `out` that are already: one always may, if another one is left."""
    return out + 1 <= max(int(instances * rules.max_part), 1) and out + 1 < instances


def out_for_s(times: int, rules: EjectRules) -> float:
    """How long it is left out the so-manieth time in a row (from 1): twice as long each time, up to 5 minutes."""
    return min(rules.out_s * 2.0 ** min(times - 1, 20), max(MAX_OUT_S, rules.out_s))
