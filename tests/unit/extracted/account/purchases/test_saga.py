"""The table of steps by itself: what counts where, and when silence lasts too long."""

from datetime import UTC, datetime, timedelta

import pytest

from extracted.account.purchases.domain.saga import (
    BLOCKING,
    DEFAULT_TIMEOUTS,
    OPEN,
    TRANSITIONS,
    CommandTimes,
    Effect,
    counts_in,
    next_check_at,
    timeout_event,
    transition,
)
from extracted.account.purchases.domain.saga import PurchaseEvent as E
from extracted.account.purchases.domain.saga import PurchaseState as S

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERS = (E.DECREASED, E.REFUSED, E.CANCELLED)
TERMINAL = frozenset(S) - OPEN - {S.ASKED}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize("event", ANSWERS)
def test_an_answer_of_the_shop_counts_while_the_purchase_is_open_and_then_never(event: E) -> None:
    assert counts_in(event) == OPEN
    assert len({TRANSITIONS[state, event] for state in OPEN}) == 1  # so one conditional statement will do


def test_a_terminal_state_never_changes() -> None:
    assert {known.next for (state, _), known in TRANSITIONS.items() if state in TERMINAL} <= TERMINAL
    assert all(state is known.next for (state, _), known in TRANSITIONS.items() if state in TERMINAL)


def test_points_go_back_on_the_shops_word_alone() -> None:
    refunds = {event for (_, event), known in TRANSITIONS.items() if Effect.REFUND in known.effects}
    assert refunds == {E.REFUSED, E.CANCELLED}


def test_every_open_purchase_can_still_end_whatever_happened() -> None:
    for state in OPEN:
        assert {TRANSITIONS[state, event].next for event in ANSWERS} == {
            S.COMPLETED,
            S.REFUNDED,
        }
        assert transition(state, E.UNANSWERED) is not None


def test_what_blocks_is_what_was_debited_and_not_refunded() -> None:
    assert {*OPEN, S.COMPLETED} == BLOCKING


WAITS = {
    "the broker has not got the command": (CommandTimes(S.DEBITED, None, None), None),
    "asked a moment ago": (CommandTimes(S.DEBITED, ago(4), ago(4)), None),
    "asked a while ago": (CommandTimes(S.DEBITED, ago(5), ago(5)), E.UNANSWERED),
    "asked again": (CommandTimes(S.DEBITED, ago(9), ago(4)), None),
    "asked in the future": (CommandTimes(S.DEBITED, ago(-3600), ago(-3600)), E.UNANSWERED),
    "asked often": (CommandTimes(S.DEBITED, ago(30), ago(1)), E.OVERDUE),
    "the broker has not got what was asked again": (CommandTimes(S.DEBITED, ago(40), None), None),
    "to be cancelled": (CommandTimes(S.CANCELLING, ago(35), ago(4), ago(4)), None),
    "to be cancelled for a while": (CommandTimes(S.CANCELLING, ago(35), ago(5), ago(5)), E.UNANSWERED),
    "to be cancelled, doubled": (CommandTimes(S.CANCELLING, ago(80), ago(19), ago(40)), None),
    "to be cancelled, doubled, over": (CommandTimes(S.CANCELLING, ago(80), ago(20), ago(40)), E.UNANSWERED),
    "to be cancelled since yesterday": (CommandTimes(S.CANCELLING, ago(9e5), ago(300), ago(9e5)), E.UNANSWERED),
}


@pytest.mark.parametrize(("silence", "event"), WAITS.values(), ids=WAITS)
def test_silence_is_counted_from_the_brokers_confirm(silence: CommandTimes, event: E | None) -> None:
    assert timeout_event(silence, DEFAULT_TIMEOUTS, NOW) is event


@pytest.mark.parametrize("silence", [silence for silence, event in WAITS.values() if event is None])
def test_an_open_purchase_is_looked_at_again_as_soon_as_its_time_is_up(silence: CommandTimes) -> None:
    at = next_check_at(silence, DEFAULT_TIMEOUTS, NOW)
    assert NOW < at <= NOW + DEFAULT_TIMEOUTS.longest
    assert silence.last is None or timeout_event(silence, DEFAULT_TIMEOUTS, at) is not None
