"""What a step of the migration has shown so far: requests, failures and users of both sides, bounded, kept on restarts.

A step lasts from one move of a movable to the next. The users of a canary are drawn, so its sides can be compared;
each user counts until the first failure on a route.
"""

import math
from binascii import crc32
from collections.abc import Callable, Mapping
from typing import Any

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.telemetry.user_sketch import MOST

SLOTS = 16_384
_SHIFT = 18
"""The upper 14 of 32 bits select the slot: the bucket depends on the lower ones."""
_PARTS = [(side, part) for side in ("new", "legacy") for part in ("seen", "failed", "pairs")]

Row = tuple[int, int, int, int]


class RouteCounts:
    """Of one route: requests that count, and failures among them."""

    __slots__ = ("failed_legacy", "failed_new", "legacy", "mark", "new")

    def __init__(self, route_id: str) -> None:
        self.failed_new = self.new = self.failed_legacy = self.legacy = 0
        self.mark = crc32(route_id.encode()) % SLOTS
        """Tells the slots of one user on several routes apart."""

    def row(self) -> Row:
        """Failures and requests of the new side, then of legacy."""
        return self.failed_new, self.new, self.failed_legacy, self.legacy


class UserSlots:
    """Which users were seen: a hashed bitmap with one byte a slot. Two users in one slot count as one."""

    __slots__ = ("slots",)

    def __init__(self) -> None:
        self.slots = bytearray(SLOTS)

    @property
    def number(self) -> int:
        """How many users: linear counting (Whang, Vander-Zanden, Taylor 1990)."""
        empty = self.slots.count(0)
        return min(round(-SLOTS * math.log(empty / SLOTS)), MOST) if empty else MOST

    def packed(self) -> str:
        """One bit a slot, as hexadecimal digits; empty if no user was seen."""
        return f"{int(self.slots.translate(_DIGITS), 2):x}" if any(self.slots) else ""

    def unpack(self, packed: str) -> None:
        """Reads what `packed` wrote. Raises ValueError."""
        bits = f"{int(packed or '0', 16):0{SLOTS}b}"
        if len(bits) != SLOTS:
            raise ValueError("a bitmap is too long")
        self.slots[:] = bits.encode().translate(_BYTES)


_DIGITS = bytes([ord("0"), *[ord("1")] * 255])
_BYTES = bytes(int(code == ord("1")) for code in range(256))


class SideUsers:
    """Of one side: users, users with a failure, and pairs of user and route with a failure."""

    __slots__ = ("failed", "pairs", "seen")

    def __init__(self) -> None:
        self.seen, self.failed, self.pairs = UserSlots(), UserSlots(), UserSlots()


class StepCounts:
    """Of one movable since its last move at `since` (Unix seconds), at one share (basis points)."""

    __slots__ = ("asked", "before", "example", "legacy", "look", "new", "routes", "share", "since")

    def __init__(self, since: float, share: int) -> None:
        self.since, self.share = since, share
        self.routes: dict[str, RouteCounts] = {}
        self.new: SideUsers | None = None
        self.legacy: SideUsers | None = None
        """Users are told apart in canary alone."""
        self.asked: frozenset[str] = frozenset()
        """Routes for which the new side was asked in earlier steps of the same canary."""
        self.before: dict[str, Row] = {}
        """By route, all failures and requests of both sides when the step began."""
        self.look: dict[str, tuple[int, ...]] = {}
        """By route, the counts at the last look."""
        self.example: dict[str, Any] | None = None
        """The latest failure of the new side."""

    def of(self, route_id: str) -> RouteCounts:
        """The counts of a route, made on first use."""
        counts = self.routes.get(route_id)
        if counts is None:
            counts = self.routes[route_id] = RouteCounts(route_id)
        return counts

    def users(self) -> Row:
        """Failing users and users of the new side, then of legacy."""
        new, legacy = self.new or SideUsers(), self.legacy or SideUsers()
        return new.failed.number, new.seen.number, legacy.failed.number, legacy.seen.number

    def asked_so_far(self) -> frozenset[str]:
        """Routes for which the new side was asked in this canary."""
        return self.asked | {route for route, counts in self.routes.items() if counts.new}

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        sides = {"new": self.new or SideUsers(), "legacy": self.legacy or SideUsers()}
        return {
            "since": self.since,
            "share": self.share,
            "routes": {route: counts.row() for route, counts in self.routes.items()},
            "users": {f"{side}_{part}": getattr(sides[side], part).packed() for side, part in _PARTS},
            "asked": sorted(self.asked),
            "before": dict(self.before),
            "look": dict(self.look),
            "example": self.example,
        }

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "StepCounts":
        """Continues from a snapshot. Raises LookupError, TypeError, ValueError or AttributeError if it is none."""
        step, sides = cls(float(saved["since"]), int(saved["share"])), {"new": SideUsers(), "legacy": SideUsers()}
        for route, row in saved["routes"].items():
            counts = step.of(str(route))
            counts.failed_new, counts.new, counts.failed_legacy, counts.legacy = map(_count, row)
        for side, part in _PARTS:
            getattr(sides[side], part).unpack(saved["users"][f"{side}_{part}"])
        step.new, step.legacy = sides["new"], sides["legacy"]
        step.asked = frozenset(map(str, saved["asked"]))
        for route, (failed_new, new, failed_legacy, legacy) in saved["before"].items():
            step.before[str(route)] = _count(failed_new), _count(new), _count(failed_legacy), _count(legacy)
        step.look = {str(route): tuple(map(_count, row)) for route, row in saved["look"].items()}
        step.example = saved["example"] if isinstance(saved["example"], dict) else None
        return step


def count(step: StepCounts, exchange: Exchange, bad: bool, wall: Callable[[], float]) -> None:
    """A request whose user was drawn has ended. `bad`: with a failure of the side that it went to."""
    reason = exchange.decision.reason if exchange.decision is not None else ""
    counts = step.routes.get(exchange.route.id) or step.of(exchange.route.id)
    if reason == "share_out":
        users = step.legacy = step.legacy or SideUsers()
        if _counts(users, exchange.key_hash >> _SHIFT, counts.mark, bad):
            counts.legacy += 1
            counts.failed_legacy += bad
    elif reason in _NEW_SIDE:
        bad = bad or reason != "share_in"
        users = step.new = step.new or SideUsers()
        if _counts(users, exchange.key_hash >> _SHIFT, counts.mark, bad):
            counts.new += 1
            if bad:
                counts.failed_new += 1
                step.example = _example(exchange, wall())


_NEW_SIDE = frozenset(("share_in", "failover", "breaker_open"))
"""A request that legacy answered because the service was away has failed on the new side."""


def _counts(users: SideUsers, slot: int, mark: int, bad: bool) -> bool:
    """Whether a request counts: its user has not failed on this route yet."""
    users.seen.slots[slot] = 1
    pairs, pair = users.pairs.slots, slot ^ mark
    if pairs[pair]:
        return False
    if bad:
        pairs[pair] = users.failed.slots[slot] = 1
    return True


def _example(exchange: Exchange, at: float) -> dict[str, Any]:
    """Words of routes.yaml and of the gateway alone: no path, nobody's data."""
    assert exchange.decision is not None  # it was counted
    return {
        "route": exchange.route.id,
        "method": exchange.method.decode("latin-1")[:16],
        "status": exchange.status,
        "reason": exchange.decision.reason,
        "failed": exchange.stage.decode("latin-1"),
        "request_id": exchange.request_id.decode("latin-1"),
        "at": round(at, 3),
    }


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("a count is a whole number")
    return value
