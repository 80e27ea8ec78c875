"""docs/purchases.md says what the code does: the picture of the states, the messages, the clock, the breaches."""

import re
from datetime import timedelta

import pytest

from extracted.account.purchases import messages
from extracted.account.purchases.domain.picture import picture
from extracted.account.purchases.domain.saga import DEFAULT_TIMEOUTS, TRANSITIONS
from extracted.account.purchases.operator_ports import BreachKind
from tests.unit.extracted.running import ROOT

PAGE = (ROOT / "docs" / "purchases.md").read_text(encoding="utf-8")


def test_the_picture_is_the_table() -> None:
    (drawn,) = re.findall(r"^```mermaid\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    assert drawn == picture()


def test_every_row_of_the_table_is_in_the_picture() -> None:
    edges = [line for line in picture().splitlines() if ": " in line]
    words = [(edge, event) for edge in edges for event in edge.partition(": ")[2].partition(" /")[0].split(", ")]
    assert len(words) == len(TRANSITIONS)
    assert {event for _, event in words} == {str(event) for _, event in TRANSITIONS}


def test_every_message_is_described() -> None:
    names = [messages.REQUESTED, messages.REPLY, messages.DECREASE, messages.CANCEL]
    names += [messages.DECREASED, messages.REFUSED, messages.CANCELLED]
    assert set(re.findall(r"^\| `([a-z_.]+\.v1)`", PAGE, re.MULTILINE)) == set(names)


def test_every_breach_is_described() -> None:
    (table,) = re.findall(r"^\| breach \| says \|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(BreachKind)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (DEFAULT_TIMEOUTS.ask_again, "| {:.0f} s, again and again |"),
        (DEFAULT_TIMEOUTS.cancel_after, "| {:.0f} s |"),
        (DEFAULT_TIMEOUTS.longest / 60, "doubling up to {:.0f} minutes"),
    ],
)
def test_the_clock_is_as_described(time: timedelta, words: str) -> None:
    assert words.format(time.total_seconds()) in PAGE
