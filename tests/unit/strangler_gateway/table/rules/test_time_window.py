"""The window of a plan: days and hours in a zone, over midnight and over changes of the clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.table.rules.time_window import TimeWindow, parse_window

WORK = "Mon-Thu 09:00-16:00 Europe/Paris"


def unix(text: str, zone: str = "Europe/Paris") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("window", "at", "open_now", "opens"),
    [
        (WORK, "2026-11-30T09:00", True, "2026-11-30T09:00"),
        (WORK, "2026-11-30T08:59", False, "2026-11-30T09:00"),
        (WORK, "2026-11-30T16:00", False, "2026-12-01T09:00"),
        (WORK, "2026-12-03T18:00", False, "2026-12-07T09:00"),
        ("Fri-Mon 00:00-24:00 Europe/Paris", "2026-11-29T23:59", True, "2026-11-29T23:59"),
        ("Fri-Mon 00:00-24:00 Europe/Paris", "2026-12-01T00:00", False, "2026-12-04T00:00"),
        ("Mon 22:00-04:00 Europe/Paris", "2026-12-01T03:59", True, "2026-12-01T03:59"),
        ("Mon 22:00-04:00 Europe/Paris", "2026-11-30T03:59", False, "2026-11-30T22:00"),
        ("09:00-16:00 Europe/Paris", "2026-03-29T08:00", False, "2026-03-29T09:00"),
        ("02:30-02:45 Europe/Paris", "2026-03-29T01:00", False, "2026-03-29T03:30"),
    ],
)
def test_it_is_open_on_its_days_between_its_hours(window: str, at: str, open_now: bool, opens: str) -> None:
    parsed = parse_window(window)
    assert parsed.is_open(unix(at)) is open_now
    assert parsed.opens_at(unix(at)) == unix(opens)


def test_the_hours_are_those_of_the_zone() -> None:
    assert parse_window("Mon 09:00-16:00 America/New_York").is_open(unix("2026-11-30T20:00"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Mon-Thu 09:00-16:00", "the zone is required"),
        ("Mon-Thu 9-16 UTC", "is no window"),
        ("Mon-Tho 09:00-16:00 UTC", '"tho" is no day'),
        ("09:00-25:00 UTC", "no time of a day"),
        ("09:61-16:00 UTC", "no time of a day"),
        ("09:00-09:00 UTC", "never open"),
        ("24:00-09:00 UTC", "never open"),
        ("09:00-16:00 Europe/Pariss", "no time zone"),
        ("09:00-16:00 /etc/passwd", "no time zone"),
        ("09:00-16:00 Europe", "no time zone"),
    ],
)
def test_what_is_no_window_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_window(text)


@given(
    st.builds(
        TimeWindow,
        st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        st.integers(0, 1439),
        st.integers(1, 1440),
        st.sampled_from(["UTC", "Asia/Kathmandu", "Pacific/Kiritimati"]),
    ).filter(lambda window: window.start != window.end),
    st.integers(0, 2_000_000_000),
)
def test_it_opens_at_the_moment_that_it_says_and_not_before(window: TimeWindow, now: int) -> None:
    opens = window.opens_at(now)
    assert now <= opens <= now + 8 * 86_400
    assert window.is_open(opens)
    assert opens == now or not window.is_open(opens - 60)
    assert parse_window(str(window)) == window
