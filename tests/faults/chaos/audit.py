"""What `make chaos` judges: pure functions of what the clients and the upstreams have seen."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

FORWARD = "shop"
"""The names of the service's instances begin so."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as its client saw it; times in seconds of the monotonic clock. `status` 0: no answer, see `error`.

    `write`: the id of a write, which no other request has; empty: a safe request. `side`: who says it has answered.
    """

    gateway: str
    began: float
    ended: float
    status: int
    side: str = ""
    write: str = ""
    error: str = ""

    @property
    def is_done(self) -> bool:
        return 200 <= self.status < 300


@dataclass(slots=True)
class Hold:
    """A rollback that was answered for this gateway, until somebody asks for its release."""

    gateway: str
    since: float
    until: float = float("inf")


@dataclass
class Seen:
    """Everything that is judged. `arrived`: how often each write arrived at an upstream.

    `killed`: which gateway, not before, and not after. `failing`: from when to when this instance answered 500: that
    is an answer, and the client gets it.
    """

    began: float = 0.0
    sent: Sequence[Sent] = ()
    arrived: Mapping[str, int] = field(default_factory=dict)
    holds: Sequence[Hold] = ()
    killed: Sequence[tuple[str, float, float]] = ()
    failing: Sequence[tuple[str, float, float]] = ()


def violations(seen: Seen) -> list[str]:
    """One line for each."""
    return [*unanswered(seen), *doubled(seen), *lost(seen), *forward_on_hold(seen)]


def unanswered(seen: Seen) -> list[str]:
    """Safe requests without a 2xx, and writes without any answer, other than in flight at a gateway that was killed."""
    return [
        f"a {'write' if one.write else 'safe request'} at {one.gateway} was answered {one.status} {one.error}"
        f" by {one.side or 'nobody'} after {one.ended - one.began:.2f} s, {one.began - seen.began:.1f} s from the start"
        for one in seen.sent
        if not (
            (one.write and one.status)
            or one.is_done
            or _was_in_flight(one, seen.killed)
            or _is_failing(one, seen.failing)
        )
    ]


def doubled(seen: Seen) -> list[str]:
    """Writes that arrived more than once."""
    return [f"write {id} arrived {number} times" for id, number in seen.arrived.items() if number > 1]


def lost(seen: Seen) -> list[str]:
    """Writes that were answered with a 2xx, and never arrived."""
    return [
        f"write {one.write} was answered {one.status} by {one.gateway}, and never arrived"
        for one in seen.sent
        if one.write and one.is_done and one.write not in seen.arrived
    ]


def forward_on_hold(seen: Seen) -> list[str]:
    """Requests that began behind a rollback's answer, and went forward before its release (S1)."""
    return [
        f"{one.gateway} served {one.side} {one.began - hold.since:.3f} s after its rollback was answered"
        for hold in seen.holds
        for one in seen.sent
        if one.gateway == hold.gateway and hold.since <= one.began < hold.until and one.ended < hold.until
        if one.side.startswith(FORWARD)
    ]


def counted(sent: Iterable[Sent]) -> dict[str, int]:
    """How many of what kind."""
    kinds = Counter(f"{'writes' if one.write else 'safe'} {'done' if one.is_done else one.status}" for one in sent)
    return dict(sorted(kinds.items()))


def _was_in_flight(one: Sent, killed: Iterable[tuple[str, float, float]]) -> bool:
    return not one.status and any(
        name == one.gateway and one.began <= till and one.ended >= since for name, since, till in killed
    )


def _is_failing(one: Sent, failing: Iterable[tuple[str, float, float]]) -> bool:
    return one.status == 500 and any(name == one.side and since <= one.ended <= till for name, since, till in failing)
