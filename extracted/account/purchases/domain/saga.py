"""A purchase as a table: state × event → next state and effects. It does no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class PurchaseState(StrEnum):
    """REJECTED: never debited. REFUNDED: the points went back."""

    ASKED = "ASKED"
    REJECTED = "REJECTED"
    DEBITED = "DEBITED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    REFUNDED = "REFUNDED"


class PurchaseEvent(StrEnum):
    """What happens to a purchase. `quantity_…` and `purchase_…` are Shop's words."""

    PAID = "paid"
    TOO_POOR = "too_poor"
    USER_GONE = "user_gone"
    DECREASED = "quantity_decreased"
    REFUSED = "quantity_refused"
    CANCELLED = "purchase_cancelled"
    UNANSWERED = "unanswered"
    OVERDUE = "overdue"
    RESUMED = "resumed"
    GIVEN_UP = "given_up"
    ROW_REMOVED = "row_removed"
    CHARGED_TWICE = "charged_twice"


class Effect(StrEnum):
    """What to do in the transaction of the transition. ALARM: a person should look."""

    ASK_TO_DECREASE = "ask_to_decrease"
    ASK_TO_CANCEL = "ask_to_cancel"
    REFUND = "refund"
    REFUND_THE_OTHER = "refund_the_other"
    MARK_REVOKED = "mark_revoked"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Transition:
    """The next state and the effects."""

    next: PurchaseState
    effects: tuple[Effect, ...] = ()


S, E, D = PurchaseState, PurchaseEvent, Effect
_REFUNDED: Final = Transition(S.REFUNDED, (D.REFUND,))

TRANSITIONS: Final[Mapping[tuple[PurchaseState, PurchaseEvent], Transition]] = {
    (S.ASKED, E.PAID): Transition(S.DEBITED, (D.ASK_TO_DECREASE,)),
    (S.ASKED, E.TOO_POOR): Transition(S.REJECTED),
    (S.ASKED, E.USER_GONE): Transition(S.REJECTED),
    (S.DEBITED, E.DECREASED): Transition(S.COMPLETED),
    (S.DEBITED, E.REFUSED): _REFUNDED,
    (S.DEBITED, E.CANCELLED): _REFUNDED,
    (S.DEBITED, E.UNANSWERED): Transition(S.DEBITED, (D.ASK_TO_DECREASE,)),
    (S.DEBITED, E.RESUMED): Transition(S.DEBITED, (D.ASK_TO_DECREASE,)),
    (S.DEBITED, E.OVERDUE): Transition(S.CANCELLING, (D.ASK_TO_CANCEL,)),
    (S.DEBITED, E.GIVEN_UP): Transition(S.CANCELLING, (D.ASK_TO_CANCEL,)),
    (S.CANCELLING, E.DECREASED): Transition(S.COMPLETED),
    (S.CANCELLING, E.REFUSED): _REFUNDED,
    (S.CANCELLING, E.CANCELLED): _REFUNDED,
    (S.CANCELLING, E.UNANSWERED): Transition(S.CANCELLING, (D.ASK_TO_CANCEL, D.ALARM)),
    (S.CANCELLING, E.RESUMED): Transition(S.CANCELLING, (D.ASK_TO_CANCEL,)),
    (S.COMPLETED, E.ROW_REMOVED): Transition(S.COMPLETED, (D.MARK_REVOKED,)),
    (S.COMPLETED, E.CHARGED_TWICE): Transition(S.COMPLETED, (D.REFUND_THE_OTHER,)),
}
"""Other pairs change nothing: a reply to a settled purchase, a time-out that comes too late."""

OPEN: Final = frozenset({S.DEBITED, S.CANCELLING})
"""Debited, and not answered by Shop."""
BLOCKING: Final = frozenset({*OPEN, S.COMPLETED})
"""A user has at most one purchase of an item in these states, not counting revoked ones."""


def transition(state: PurchaseState, event: PurchaseEvent) -> Transition | None:
    """None: the event does not count in that state."""
    return TRANSITIONS.get((state, event))


def counts_in(event: PurchaseEvent) -> frozenset[PurchaseState]:
    """The states in which the event counts."""
    return frozenset(state for state, known in TRANSITIONS if known is event)


@dataclass(frozen=True, slots=True)
class TimeoutSettings:
    """How long Shop may be silent. All but `check_again` count from the broker's confirm of a command."""

    ask_again: timedelta = timedelta(seconds=5)
    cancel_after: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=5)
    check_again: timedelta = timedelta(seconds=2)


DEFAULT_TIMEOUTS: Final = TimeoutSettings()


@dataclass(frozen=True, slots=True)
class CommandTimes:
    """Since when an open purchase waits. `first`, `last`: when the broker confirmed the first decrease and the newest
    command; None: not yet. `cancelling`: when Account began to cancel."""

    state: PurchaseState
    first: datetime | None
    last: datetime | None
    cancelling: datetime | None = None


def timeout_event(times: CommandTimes, timeouts: TimeoutSettings, now: datetime) -> PurchaseEvent | None:
    """The event of a time-out; None: nothing has timed out. A command that is still in the outbox never times out.

    A confirm in the future means that the clock was put back. Its age is unknown, so Shop is asked again.
    """
    if times.last is None:
        return None
    if times.last > now:
        return E.UNANSWERED
    if times.state is S.DEBITED and times.first is not None and now - times.first >= timeouts.cancel_after:
        return E.OVERDUE
    return E.UNANSWERED if now - times.last >= _wait(times, timeouts) else None


def as_of(times: CommandTimes, now: datetime) -> CommandTimes:
    """If the clock was put back, the first confirm counts from now instead of from the future."""
    return replace(times, first=times.first and min(times.first, now))


def next_check_at(times: CommandTimes, timeouts: TimeoutSettings, now: datetime) -> datetime:
    """When to check an open purchase again."""
    if times.last is None:
        return now + timeouts.check_again
    again = times.last + _wait(times, timeouts)
    if times.state is S.DEBITED and times.first is not None:
        again = min(again, times.first + timeouts.cancel_after)
    return max(again, now)


def _wait(times: CommandTimes, timeouts: TimeoutSettings) -> timedelta:
    """How long to wait before asking again. Before the next cancel it is as long as all waits so far: it doubles."""
    if times.cancelling is None or times.last is None:
        return timeouts.ask_again
    return min(max(times.last - times.cancelling, timeouts.ask_again), timeouts.longest)
