"""Differences that routes.yaml accepts: named by place and kind, each with its reason and perhaps a last day. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

DifferenceKind = Literal["missing", "extra", "type", "value", "order", "status", "header", "cut"]
"""`missing`: the service lacks it; `extra`: it has more; `order`: the same elements, in another order.

`cut`: the service breaks off in its body.
"""
KINDS: tuple[str, ...] = get_args(DifferenceKind)
_INDEX = re.compile(r"\[\d+\]")


def folded(path: str) -> str:
    """The path with each index as [*]: an element that has moved on is still at the same place."""
    return _INDEX.sub("[*]", path)


@dataclass(frozen=True, slots=True)
class AcceptRule:
    """`until`: the last day (UTC) on which it holds, as 2026-12-31; None: for ever."""

    path: str
    kind: DifferenceKind
    why: str
    until: str | None = None

    @property
    def name(self) -> str:
        """As differences are named."""
        return f"{self.kind} {folded(self.path)}"

    def holds_at(self, now: float) -> bool:
        """Unix seconds."""
        if self.until is None:
            return True
        end = datetime.combine(date.fromisoformat(self.until), datetime.min.time(), UTC) + timedelta(days=1)
        return now < end.timestamp()


def names_at(rules: Iterable[AcceptRule], now: float) -> frozenset[str]:
    """What is accepted at that moment."""
    return frozenset(rule.name for rule in rules if rule.holds_at(now))
