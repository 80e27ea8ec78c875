"""When a plan may move: days and hours in a time zone, as routes.yaml writes them (`Mon-Thu 09:00-16:00 Europe/Paris`).

No clock: the moment is an argument.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(
    r"(?:([A-Za-z]{3}(?:[-,][A-Za-z]{3})*) +)?([0-9]{2}):([0-9]{2}) ?- ?([0-9]{2}):([0-9]{2}) +([A-Za-z0-9_+/-]{1,64})"
)
_DAY_MIN = 24 * 60
_WEEK = 8
"""Days that are looked at for the next opening: a window opens at least once a week."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """`days`: on which it opens, 0 is Monday. Minutes of the day; an `end` before `start` is the next day's."""

    days: tuple[int, ...]
    start: int
    end: int
    zone: str

    def is_open(self, now: float) -> bool:
        """Whether it is open at this moment (Unix seconds)."""
        here = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        minute, today = here.hour * 60 + here.minute, here.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or ((today - 1) % 7 in self.days and minute < self.end)

    def opens_at(self, now: float) -> float:
        """Unix seconds of the next opening; `now` if it is open."""
        if self.is_open(now):
            return now
        today = datetime.fromtimestamp(now, ZoneInfo(self.zone)).date()
        openings = (self._opening(today + timedelta(days=ahead)) for ahead in range(_WEEK + 1))
        return next((moment for moment in openings if moment is not None and moment > now), now + 7 * 86_400)

    def _opening(self, day: date) -> float | None:
        if day.weekday() not in self.days:
            return None
        hour, minute = divmod(self.start, 60)
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(self.zone)).timestamp()

    def __str__(self) -> str:
        days = ",".join(_DAYS[day].capitalize() for day in self.days)
        return f"{days} {_clock(self.start)}-{_clock(self.end)} {self.zone}"


def parse_window(text: str) -> TimeWindow:
    """Raises ValueError with what was seen and wanted."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text[:80]}" is no window; write "Mon-Thu 09:00-16:00 Europe/Paris" (the zone is required)')
    days, *hours, zone = found.groups()
    start, end = _minute(hours[0], hours[1]), _minute(hours[2], hours[3])
    if start in (end, _DAY_MIN):
        raise ValueError(f'"{text[:80]}" is never open; for the whole day write 00:00-24:00')
    _check_zone(zone)
    return TimeWindow(_days(days) if days else tuple(range(7)), start, end, zone)


def _minute(hour: str, minute: str) -> int:
    at = int(hour) * 60 + int(minute)
    if int(minute) > 59 or at > _DAY_MIN:
        raise ValueError(f'"{hour}:{minute}" is no time of a day; write 00:00 to 24:00')
    return at


def _days(text: str) -> tuple[int, ...]:
    """`Mon-Thu,Sat` as numbers; a range may go over Sunday."""
    found: set[int] = set()
    for part in text.lower().split(","):
        first, *rest = map(_day, part.split("-"))
        last = rest[-1] if rest else first
        found.update((first + ahead) % 7 for ahead in range((last - first) % 7 + 1))
    return tuple(sorted(found))


def _day(name: str) -> int:
    if name not in _DAYS:
        raise ValueError(f'"{name}" is no day; write Mon, Tue, Wed, Thu, Fri, Sat or Sun')
    return _DAYS.index(name)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'"{zone}" is no time zone that is known here; write one such as UTC or Europe/Paris'
        ) from None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
