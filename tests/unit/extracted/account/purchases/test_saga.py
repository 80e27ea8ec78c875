"""The table of steps by itself: what counts where, and when silence lasts too long."""

from datetime import UTC, datetime, timedelta

import pytest

from extracted.account.purchases.domain.saga import (
    BLOCKING,
    OPEN,
    PATIENCE,
    STEPS,
    Effect,
    Event,
    Silence,
    State,
    counts_in,
    look_at,
    overdue,
    step,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERS = (Event.DECREASED, Event.REFUSED, Event.CANCELLED)
TERMINAL = frozenset(State) - OPEN - {State.ASKED}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize("event", ANSWERS)
def test_an_answer_of_the_shop_counts_while_the_purchase_is_open_and_then_never(event: Event) -> None:
    assert counts_in(event) == OPEN
    assert len({STEPS[state, event] for state in OPEN}) == 1  # so one conditional statement will do


def test_a_terminal_state_never_changes() -> None:
    assert {known.next for (state, _), known in STEPS.items() if state in TERMINAL} <= TERMINAL
    assert all(state is known.next for (state, _), known in STEPS.items() if state in TERMINAL)


def test_points_go_back_on_the_shops_word_alone() -> None:
    refunds = {event for (_, event), known in STEPS.items() if Effect.REFUND in known.effects}
    assert refunds == {Event.REFUSED, Event.CANCELLED}


def test_every_open_purchase_can_still_end_whatever_happened() -> None:
    for state in OPEN:
        assert {STEPS[state, event].next for event in ANSWERS} == {State.COMPLETED, State.REFUNDED}
        assert step(state, Event.UNANSWERED) is not None


def test_what_blocks_is_what_was_debited_and_not_refunded() -> None:
    assert {*OPEN, State.COMPLETED} == BLOCKING


WAITS = {
    "the broker has not got the command": (Silence(State.DEBITED, None, None), None),
    "asked a moment ago": (Silence(State.DEBITED, ago(4), ago(4)), None),
    "asked a while ago": (Silence(State.DEBITED, ago(5), ago(5)), Event.UNANSWERED),
    "asked again": (Silence(State.DEBITED, ago(9), ago(4)), None),
    "asked in the future": (Silence(State.DEBITED, ago(-3600), ago(-3600)), Event.UNANSWERED),
    "asked often": (Silence(State.DEBITED, ago(30), ago(1)), Event.OVERDUE),
    "the broker has not got what was asked again": (Silence(State.DEBITED, ago(40), None), None),
    "to be cancelled": (Silence(State.CANCELLING, ago(35), ago(4), ago(4)), None),
    "to be cancelled for a while": (Silence(State.CANCELLING, ago(35), ago(5), ago(5)), Event.UNANSWERED),
    "to be cancelled, doubled": (Silence(State.CANCELLING, ago(80), ago(19), ago(40)), None),
    "to be cancelled, doubled, over": (Silence(State.CANCELLING, ago(80), ago(20), ago(40)), Event.UNANSWERED),
    "to be cancelled since yesterday": (Silence(State.CANCELLING, ago(9e5), ago(300), ago(9e5)), Event.UNANSWERED),
}


@pytest.mark.parametrize(("silence", "event"), WAITS.values(), ids=WAITS)
def test_silence_is_counted_from_the_brokers_confirm(silence: Silence, event: Event | None) -> None:
    assert overdue(silence, PATIENCE, NOW) is event


@pytest.mark.parametrize("silence", [silence for silence, event in WAITS.values() if event is None])
def test_an_open_purchase_is_looked_at_again_as_soon_as_its_time_is_up(silence: Silence) -> None:
    at = look_at(silence, PATIENCE, NOW)
    assert NOW < at <= NOW + PATIENCE.longest
    assert silence.last is None or overdue(silence, PATIENCE, at) is not None
