"""What a step of the migration has shown so far: requests, failures and users of both sides, bounded, kept on restarts.

A step lasts from one move of a movable to the next. The users of a canary are drawn, so its sides can be compared;
each user counts until the first failure on a route.
"""

import math
from binascii import crc32
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from strangler_gateway.exchange.decision import BREAKER_OPEN, FAILED_OVER, SHARE_IN, SHARE_OUT
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.table.bucket import key_hash
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.telemetry.histogram import WHOLE_BYTES
from strangler_gateway.telemetry.migration_steps.first_failures import FirstFailures
from strangler_gateway.telemetry.migration_steps.parity import StepParity
from strangler_gateway.telemetry.migration_steps.timings import StepTimings
from strangler_gateway.telemetry.user_sketch import MOST

SLOTS = 16_384
_SHIFT = 18
"""The upper 14 of 32 bits select the slot: the bucket depends on the lower ones."""

_CANARY: Final = MigrationState.CANARY

Row = tuple[int, int, int, int]


class RouteCounts:
    """Of one route: requests that count, and failures among them."""

    __slots__ = ("failed_legacy", "failed_new", "first_legacy", "first_new", "legacy", "mark", "new")

    def __init__(self, route_id: str) -> None:
        self.failed_new = self.new = self.failed_legacy = self.legacy = 0
        self.first_new, self.first_legacy = FirstFailures(), FirstFailures()
        self.mark = crc32(route_id.encode()) % SLOTS
        """Tells the slots of one user on several routes apart."""

    def row(self) -> Row:
        """Failures and requests of the new side, then of legacy."""
        return self.failed_new, self.new, self.failed_legacy, self.legacy

    def first_failures(self) -> list[Any]:
        """Of each side: requests that count, failures without a known user, and the users who have failed."""
        new, legacy = self.first_new, self.first_legacy
        return [
            [self.new + new.again, new.beyond, new.all_told()],
            [self.legacy + legacy.again, legacy.beyond, legacy.all_told()],
        ]

    def forget(self, *, everybody: bool) -> bool:
        """Users who have failed count again; whether there were any. `everybody`: also who was not told."""
        sides = [one for one in (self.first_new, self.first_legacy) if one.users]
        for one in sides:
            one.forget(everybody=everybody)
        return bool(sides)


class SideUsers:
    """Of one side, hashed bitmaps with one byte a slot: users, users with a failure, failed pairs of user and route."""

    __slots__ = ("failed", "pairs", "seen")

    def __init__(self) -> None:
        self.seen, self.failed, self.pairs = bytearray(SLOTS), bytearray(SLOTS), bytearray(SLOTS)

    def snapshot(self) -> list[str]:
        """As JSON-able values."""
        return [packed(self.seen), packed(self.failed), packed(self.pairs)]

    @classmethod
    def restored(cls, saved: Sequence[str] | None) -> "SideUsers | None":
        """Continues from a snapshot. Raises TypeError, ValueError."""
        if saved is None:
            return None
        side = cls()
        side.seen, side.failed, side.pairs = map(unpacked, saved)
        return side

    def __or__(self, other: "SideUsers") -> "SideUsers":
        """The users of both."""
        united = SideUsers()
        united.seen, united.failed, united.pairs = map(
            _either, (self.seen, self.failed, self.pairs), (other.seen, other.failed, other.pairs)
        )
        return united


def _united(one: SideUsers | None, other: SideUsers | None) -> SideUsers | None:
    return one | other if one is not None and other is not None else one or other


def _either(one: bytearray, other: bytearray) -> bytearray:
    return bytearray((int.from_bytes(one, "big") | int.from_bytes(other, "big")).to_bytes(SLOTS, "big"))


def _looked_at(look: Mapping[str, tuple[int, ...]]) -> int:
    return sum(map(sum, look.values()))


def number_of(slots: bytearray) -> int:
    """How many users, by linear counting (Whang, Vander-Zanden, Taylor 1990): two of them may share a slot."""
    empty = slots.count(0)
    return min(round(-SLOTS * math.log(empty / SLOTS)), MOST) if empty else MOST


def packed(slots: bytearray) -> str:
    """One bit a slot, as hexadecimal digits; empty if no user was seen."""
    return f"{int(slots.translate(_DIGITS), 2):x}" if any(slots) else ""


def unpacked(text: str) -> bytearray:
    """Reads what `packed` wrote. Raises ValueError."""
    bits = f"{int(text or '0', 16):0{SLOTS}b}"
    if len(bits) != SLOTS:
        raise ValueError("a bitmap is too long")
    return bytearray(bits.encode().translate(_BYTES))


_NO_TIMINGS: Mapping[str, Any] = {"age_s": 0.0, "routes": {}}
"""Of a step that an older version has counted."""
_DIGITS = bytes([ord("0"), *[ord("1")] * 255])
_BYTES = bytes(int(code == ord("1")) for code in range(256))


class StepCounts:
    """Of one movable since its last move at `since` (Unix seconds), at one share (basis points)."""

    __slots__ = (
        "accepted",
        "asked",
        "before",
        "example",
        "legacy",
        "look",
        "new",
        "parity",
        "routes",
        "share",
        "since",
        "timings",
    )

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
        """By route, the counts at the last look in canary; in shadow by "", equal and different answers."""
        self.example: dict[str, Any] | None = None
        """The latest failure of the new side."""
        self.timings = StepTimings()
        self.parity = StepParity()
        self.accepted = ""
        """What was accepted of differences at the last look."""

    def of(self, route_id: str) -> RouteCounts:
        """The counts of a route, made on first use."""
        counts = self.routes.get(route_id)
        if counts is None:
            counts = self.routes[route_id] = RouteCounts(route_id)
        return counts

    def users(self) -> Row:
        """Failing users and users of the new side, then of legacy."""
        new, legacy = self.new or SideUsers(), self.legacy or SideUsers()
        return number_of(new.failed), number_of(new.seen), number_of(legacy.failed), number_of(legacy.seen)

    def users_of_new(self) -> SideUsers:
        """Of the new side, made on first use."""
        self.new = self.new or SideUsers()
        return self.new

    def users_of_legacy(self) -> SideUsers:
        """Of legacy, made on first use."""
        self.legacy = self.legacy or SideUsers()
        return self.legacy

    def asked_so_far(self) -> frozenset[str]:
        """Routes for which the new side was asked in this canary."""
        return self.asked | {route for route, counts in self.routes.items() if counts.new}

    def add(self, other: "StepCounts") -> None:
        """Adds what another gateway saw of the same step. The later look and the later example count."""
        for route, theirs in other.routes.items():
            counts = self.of(route)
            counts.failed_new += theirs.failed_new
            counts.new += theirs.new
            counts.failed_legacy += theirs.failed_legacy
            counts.legacy += theirs.legacy
        self.new, self.legacy = _united(self.new, other.new), _united(self.legacy, other.legacy)
        self.asked |= other.asked
        for route, (a, b, c, d) in other.before.items():
            w, x, y, z = self.before.get(route, (0, 0, 0, 0))
            self.before[route] = a + w, b + x, c + y, d + z
        if _looked_at(other.look) > _looked_at(self.look):
            self.look, self.accepted = other.look, other.accepted
        self.example = max(self.example, other.example, key=lambda one: one["at"] if one else "")
        self.parity.add(other.parity.snapshot())
        self.timings.add(other.timings.part() if other.timings.lately is not None else other.timings.snapshot())

    def first_failures(self) -> dict[str, Any]:
        """By route, what rule 2 counts of both sides: requests, and users who have failed. JSON-able."""
        routes = {route: counts.first_failures() for route, counts in self.routes.items()}
        return {"step": [self.since, self.share], "routes": routes}

    def forget(self, routes: Collection[str] | None) -> list[str]:
        """Users who have failed on these routes count again; None: on all, also those of whom nobody has been told.

        Where there were any.
        """
        found = [route for route in self.routes if routes is None or route in routes]
        return [route for route in found if self.routes[route].forget(everybody=routes is None)]

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "since": self.since,
            "share": self.share,
            "routes": {route: counts.row() for route, counts in self.routes.items()},
            "new": self.new.snapshot() if self.new is not None else None,
            "legacy": self.legacy.snapshot() if self.legacy is not None else None,
            "asked": sorted(self.asked),
            "before": dict(self.before),
            "look": dict(self.look),
            "example": self.example,
            "timings": self.timings.snapshot(),
            "parity": self.parity.snapshot(),
            "accepted": self.accepted,
        }

    def part(self) -> dict[str, Any]:
        """A snapshot for the sum over all gateways."""
        return self.snapshot() | {"timings": self.timings.part()}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "StepCounts":
        """Continues from a snapshot. Raises LookupError, TypeError, ValueError or AttributeError if it is none."""
        step = cls(float(saved["since"]), int(saved["share"]))
        for route, row in saved["routes"].items():
            counts = step.of(str(route))
            counts.failed_new, counts.new, counts.failed_legacy, counts.legacy = _row(row)
        step.new, step.legacy = SideUsers.restored(saved["new"]), SideUsers.restored(saved["legacy"])
        step.asked = frozenset(map(str, saved["asked"]))
        step.before = {str(route): _row(row) for route, row in saved["before"].items()}
        step.look = {str(route): _pair(row) if route == "" else _row(row) for route, row in saved["look"].items()}
        step.example = saved["example"] if isinstance(saved["example"], dict) else None
        step.timings.add(saved.get("timings", _NO_TIMINGS))
        step.parity.add(saved.get("parity", {}))
        step.accepted = str(saved.get("accepted", ""))
        return step


def adopt_steps(mine: dict[str, StepCounts], steps: Mapping[str, Sequence[Any]]) -> None:
    """`steps`: since when, and the share, of each movable that another process counts. Others begin anew here."""
    for gone in mine.keys() - steps.keys():
        del mine[gone]
    for unit, (since, share) in steps.items():
        known = mine.get(unit)
        if known is None or (known.since, known.share) != (since, share):
            mine[unit] = StepCounts(since, share)


def count(
    steps: Mapping[str, StepCounts], exchange: Exchange, bad: bool, wall: Callable[[], float], duration: int
) -> None:
    """A request whose user was drawn has ended. `bad`: with a failure of the side that it went to.

    `duration`: its bin of `histogram.SECONDS`. It counts where its movable still stands where it stood, and unless the
    client left before an answer.
    """
    route, decision = exchange.route, exchange.decision
    step = steps.get(route.movable.name)
    if step is None or (exchange.status == 499 and exchange.stage == b"client"):
        return
    if step.share != route.movable.share and (step.share or route.movable.state is _CANARY):
        return  # outside canary a step has no share, whatever the file says
    counts, slot = step.routes.get(route.id) or step.of(route.id), exchange.key_hash >> _SHIFT
    if decision is SHARE_OUT:
        if not bad and not exchange.protocol:
            timings = step.timings.routes.get(route.id) or step.timings.of(route.id)
            timings.seconds_legacy[duration] += 1
            size = exchange.size
            if size >= 0:
                timings.bytes_legacy[bisect_left(WHOLE_BYTES, size)] += 1
        users = step.legacy or step.users_of_legacy()
        users.seen[slot] = 1
        if not users.pairs[slot ^ counts.mark]:
            counts.legacy += 1
            if bad:
                counts.failed_legacy += 1
                users.pairs[slot ^ counts.mark] = users.failed[slot] = 1
                counts.first_legacy.fail(exchange.key_hash)
        else:
            counts.first_legacy.repeat(exchange.key_hash, bad)
    elif decision in _NEW_SIDE:
        bad = bad or decision is not SHARE_IN
        if not bad and not exchange.protocol:
            timings = step.timings.routes.get(route.id) or step.timings.of(route.id)
            timings.seconds_new[duration] += 1
            size = exchange.size
            if size >= 0:
                timings.bytes_new[bisect_left(WHOLE_BYTES, size)] += 1
        users = step.new or step.users_of_new()
        users.seen[slot] = 1
        if not users.pairs[slot ^ counts.mark]:
            counts.new += 1
            if bad:
                counts.failed_new += 1
                users.pairs[slot ^ counts.mark] = users.failed[slot] = 1
                counts.first_new.fail(exchange.key_hash)
                step.example = _example(exchange, wall())
        else:
            counts.first_new.repeat(exchange.key_hash, bad)


def count_extracted(steps: Mapping[str, StepCounts], exchange: Exchange, bad: bool, wall: Callable[[], float]) -> None:
    """The same for a request of a movable in extracted, where nobody is drawn: everybody counts, for rule 2 alone."""
    route = exchange.route
    step = steps.get(route.movable.name)
    if step is None or step.share or (exchange.status == 499 and exchange.stage == b"client"):
        return
    counts = step.routes.get(route.id) or step.of(route.id)
    first = counts.first_new
    if (bad or first.users) and route.movable.plan is not None:  # else nobody judges
        user = _user(exchange)
        if user in first.users:
            return
        if bad:
            first.fail(user)
    counts.new += 1
    if bad:
        counts.failed_new += 1
        step.example = _example(exchange, wall())


def _user(exchange: Exchange) -> int:
    """The verified user, else the credential, else the address; the same in every process and gateway."""
    identity = exchange.identity
    user = identity.subject if identity is not None else None
    key = user.encode("utf-8", "surrogatepass") if user is not None else exchange.head.authorization
    return key_hash(exchange.route.movable.salt, key or exchange.client.encode("utf-8", "surrogatepass"))


_NEW_SIDE = (SHARE_IN, FAILED_OVER, BREAKER_OPEN)
"""A request that legacy answered because the service was away has failed on the new side."""


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
        "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _row(saved: Any) -> Row:
    failed_new, new, failed_legacy, legacy = map(number, saved)
    if failed_new > new or failed_legacy > legacy:
        raise ValueError("more failures than requests")
    return failed_new, new, failed_legacy, legacy


def _pair(saved: Any) -> tuple[int, int]:
    equal, different = map(number, saved)
    return equal, different


def number(value: Any) -> int:
    """A count as it was saved. Raises TypeError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("a count is a whole number")
    return value
