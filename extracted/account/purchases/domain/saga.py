"""A purchase as a table of steps: state × event → next state and what has to be done. It does nothing itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Of a purchase. REJECTED was never debited; points of a REFUNDED one went back."""

    ASKED = "ASKED"
    REJECTED = "REJECTED"
    DEBITED = "DEBITED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    REFUNDED = "REFUNDED"


class Event(StrEnum):
    """What happens to a purchase. `quantity_…` and `purchase_…` are Shop's words; the last five are ours."""

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
    """What a step wants done, in the transaction of the step. ALARM: somebody should look."""

    ASK_TO_DECREASE = "ask_to_decrease"
    ASK_TO_CANCEL = "ask_to_cancel"
    REFUND = "refund"
    REFUND_THE_OTHER = "refund_the_other"
    MARK_REVOKED = "mark_revoked"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table."""

    next: State
    effects: tuple[Effect, ...] = ()


S, E, D = State, Event, Effect
_REFUNDED: Final = Step(S.REFUNDED, (D.REFUND,))

STEPS: Final[Mapping[tuple[State, Event], Step]] = {
    (S.ASKED, E.PAID): Step(S.DEBITED, (D.ASK_TO_DECREASE,)),
    (S.ASKED, E.TOO_POOR): Step(S.REJECTED),
    (S.ASKED, E.USER_GONE): Step(S.REJECTED),
    (S.DEBITED, E.DECREASED): Step(S.COMPLETED),
    (S.DEBITED, E.REFUSED): _REFUNDED,
    (S.DEBITED, E.CANCELLED): _REFUNDED,
    (S.DEBITED, E.UNANSWERED): Step(S.DEBITED, (D.ASK_TO_DECREASE,)),
    (S.DEBITED, E.RESUMED): Step(S.DEBITED, (D.ASK_TO_DECREASE,)),
    (S.DEBITED, E.OVERDUE): Step(S.CANCELLING, (D.ASK_TO_CANCEL,)),
    (S.DEBITED, E.GIVEN_UP): Step(S.CANCELLING, (D.ASK_TO_CANCEL,)),
    (S.CANCELLING, E.DECREASED): Step(S.COMPLETED),
    (S.CANCELLING, E.REFUSED): _REFUNDED,
    (S.CANCELLING, E.CANCELLED): _REFUNDED,
    (S.CANCELLING, E.UNANSWERED): Step(S.CANCELLING, (D.ASK_TO_CANCEL, D.ALARM)),
    (S.CANCELLING, E.RESUMED): Step(S.CANCELLING, (D.ASK_TO_CANCEL,)),
    (S.COMPLETED, E.ROW_REMOVED): Step(S.COMPLETED, (D.MARK_REVOKED,)),
    (S.COMPLETED, E.CHARGED_TWICE): Step(S.COMPLETED, (D.REFUND_THE_OTHER,)),
}
"""What is not in it does not count: a reply to a settled purchase, a time-out that came too late."""

OPEN: Final = frozenset({S.DEBITED, S.CANCELLING})
"""Debited, and Shop has not answered."""
BLOCKING: Final = frozenset({*OPEN, S.COMPLETED})
"""At most one purchase of a user and an item is in one of these (a revoked one aside)."""


def step(state: State, event: Event) -> Step | None:
    """None: the event does not count in that state."""
    return STEPS.get((state, event))


def counts_in(event: Event) -> frozenset[State]:
    """The states that the event changes or lets act."""
    return frozenset(state for state, known in STEPS if known is event)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long Shop may be silent; all but `look_again` are counted from the broker's confirm of a command."""

    ask_again: timedelta = timedelta(seconds=5)
    cancel_after: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=5)
    look_again: timedelta = timedelta(seconds=2)


PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class Silence:
    """Since when an open purchase waits. `first`, `last`: when the broker confirmed the first decrease and the newest
    command, None while it has not; `cancelling`: since when points are wanted back."""

    state: State
    first: datetime | None
    last: datetime | None
    cancelling: datetime | None = None


def overdue(silence: Silence, patience: Patience, now: datetime) -> Event | None:
    """The event of a time-out; None: wait on. Nothing times out that the broker has not got: it is in the outbox.

    A confirm that is still to come is of a clock that was put back: nobody knows how long ago it was.
    """
    if silence.last is None:
        return None
    if silence.last > now:
        return E.UNANSWERED
    if silence.state is S.DEBITED and silence.first is not None and now - silence.first >= patience.cancel_after:
        return E.OVERDUE
    return E.UNANSWERED if now - silence.last >= _wait(silence, patience) else None


def as_of(silence: Silence, now: datetime) -> Silence:
    """Its first confirm is not still to come: where the clock was put back, it counts from now."""
    return replace(silence, first=silence.first and min(silence.first, now))


def look_at(silence: Silence, patience: Patience, now: datetime) -> datetime:
    """When an open purchase has to be looked at again."""
    if silence.last is None:
        return now + patience.look_again
    again = silence.last + _wait(silence, patience)
    if silence.state is S.DEBITED and silence.first is not None:
        again = min(again, silence.first + patience.cancel_after)
    return max(again, now)


def _wait(silence: Silence, patience: Patience) -> timedelta:
    """Before asking again; a cancel waits as long as was waited so far, so it doubles."""
    if silence.cancelling is None or silence.last is None:
        return patience.ask_again
    return min(max(silence.last - silence.cancelling, patience.ask_again), patience.longest)
