"""Numbers, shares and times as people read them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zlib import crc32


def number(value: float | None) -> str:
    """At most three digits that change: 987, 12.3k, 4.56M."""
    if value is None:
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}" if abs(value) < 999.5 * size else f"{value / size:.0f}{unit}"
    return f"{value:g}" if isinstance(value, int) else f"{value:.3g}"


def rate(value: float | None) -> str:
    """Requests per second."""
    if value is None:
        return "–"
    return "0" if value == 0 else "<0.1" if value < 0.1 else f"{value:.1f}" if value < 10 else number(round(value))


def part(value: float | None) -> str:
    """0 to 1, as per cent."""
    if value is None:
        return "–"
    per_cent = value * 100
    if per_cent in (0, 100):
        return f"{per_cent:.0f} %"
    return "<0.01 %" if per_cent < 0.01 else f"{per_cent:.3g} %" if per_cent < 99.5 else f"{min(per_cent, 99.99):.2f} %"


def duration(seconds: float | None) -> str:
    """Of a request."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s"


def span(seconds: float | None) -> str:
    """Of a wait: the two largest units."""
    if seconds is None:
        return "–"
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def moment(text: str | None) -> str:
    """A time of the API, in UTC, to the second."""
    if not text:
        return "–"
    return datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%Y-%m-%d %H:%M:%S")


def position(view: Mapping[str, Any] | None) -> str:
    """`canary 10 %`."""
    if view is None:
        return "–"
    return f"{view['state']} {view['share']:g} %" if view.get("share") is not None else str(view["state"])


def element(name: str) -> str:
    """An id for an element about something with this name."""
    return f"{crc32(name.encode('utf-8', 'surrogateescape')):08x}"


FILTERS: Mapping[str, Callable[..., str]] = {
    "number": number,
    "rate": rate,
    "part": part,
    "duration": duration,
    "span": span,
    "moment": moment,
    "position": position,
    "element": element,
}
