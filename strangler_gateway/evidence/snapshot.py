"""What is known of a movable at one moment, rule by rule: for commands, the API, the journal, the page and plans. Pure.

Each rule has its numbers, its threshold and its verdict. The verdict of the whole is the worst one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from strangler_gateway.table.position import Position, place

RuleName = Literal["failures", "users", "parity", "latency", "size", "exercised", "breach"]
Unexercised = Mapping[str, Any]
"""What legacy was asked for and the new side was not: `route`; `method`, `status` or `role` where it is about one."""


class RuleVerdict(StrEnum):
    """From the best to the worst; OFF: nothing is measured here, so that nothing speaks against a step."""

    OFF = "OFF"
    PASS = "PASS"  # noqa: S105  # a verdict, no password
    WAIT = "WAIT"
    SLOW = "SLOW"
    DIFFERENT = "DIFFERENT"
    WORSE = "WORSE"


_ORDER = tuple(RuleVerdict)


@dataclass(frozen=True, slots=True)
class RuleEvidence:
    """`numbers` and `threshold`: JSON-able, parts and not per cent. `says`: one sentence."""

    rule: RuleName
    verdict: RuleVerdict
    says: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    threshold: Mapping[str, Any] = field(default_factory=dict)
    wait_s: float | None = None
    """Of WAIT: how long it takes at today's traffic; None: nobody knows, because no requests arrive."""
    required: bool = True
    """False: its WAIT keeps nothing back."""

    @property
    def is_against(self) -> bool:
        """Whether it speaks against a step forward."""
        return self.verdict not in (RuleVerdict.OFF, RuleVerdict.PASS) and (
            self.required or self.verdict is not RuleVerdict.WAIT
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "rule": self.rule,
            "verdict": str(self.verdict),
            "numbers": dict(self.numbers),
            "threshold": dict(self.threshold),
            "wait_s": None if self.wait_s is None else round(self.wait_s, 1),
            "required": self.required,
            "says": self.says,
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of one movable at `at` (Unix seconds); counted since `since`."""

    unit: str
    position: Position
    at: float
    since: float
    rules: tuple[RuleEvidence, ...]
    unexercised: tuple[Unexercised, ...] = ()
    problems: tuple[str, ...] = ()
    """Why the counters prove nothing now: another gateway does not answer."""

    def with_rule(self, rule: RuleEvidence) -> "Snapshot":
        """The same with one rule more."""
        return replace(self, rules=(*self.rules, rule))

    @property
    def verdict(self) -> RuleVerdict:
        """The worst of all rules but a WAIT that keeps nothing back; no PASS while counters are missing."""
        told = [one.verdict for one in self.rules if one.is_against or one.verdict is not RuleVerdict.WAIT]
        worst = max(told, key=_ORDER.index, default=RuleVerdict.OFF)
        return max(worst, RuleVerdict.WAIT, key=_ORDER.index) if self.problems else worst

    def rule(self, name: RuleName) -> RuleEvidence:
        """The rule of that name. Raises StopIteration if it is not there."""
        return next(one for one in self.rules if one.rule == name)

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values: the share in per cent and in canary only, else null."""
        return {
            "group": self.unit,
            "share": None,
            **(place(self.position) or {}),
            "at": iso(self.at),
            "since": iso(self.since),
            "verdict": str(self.verdict),
            "rules": [one.to_json() for one in self.rules],
            "unexercised": [dict(one) for one in self.unexercised],
            "problems": list(self.problems),
        }


def iso(time: float) -> str:
    """Unix seconds as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
