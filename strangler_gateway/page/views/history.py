"""What was counted over time, as columns: for a chart, for its table, and for programs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.overview.ring import Ring, Sample, known

View = dict[str, Any]
MAX_ROWS = 12
COLUMNS: Mapping[str, Callable[[Sample, float], float | None]] = {
    "legacy_per_s": lambda one, seconds: round(one.legacy / seconds, 3),
    "new_per_s": lambda one, seconds: round(one.new / seconds, 3),
    "new_part": lambda one, seconds: _part(one.new, one.new + one.legacy),
    "users_part": lambda one, seconds: _part(one.users_new, one.users),
    "failed_legacy": lambda one, seconds: _part(one.failed_legacy, one.legacy),
    "failed_new": lambda one, seconds: _part(one.failed_new, one.new),
    "p50_legacy_s": lambda one, seconds: known(one.p50_legacy),
    "p50_new_s": lambda one, seconds: known(one.p50_new),
    "p95_legacy_s": lambda one, seconds: known(one.p95_legacy),
    "p95_new_s": lambda one, seconds: known(one.p95_new),
}


def history(ring: Ring, name: str, after: float) -> View:
    """Samples later than `after` (Unix seconds), by column; None where nothing was counted."""
    samples = _with_gaps(ring.samples(name, after))
    view: View = {"keep": ring.size, "times": [round(at, 3) for at, _, _ in samples]}
    return view | {
        key: [column(one, seconds) if seconds else None for _, seconds, one in samples]
        for key, column in COLUMNS.items()
    }


def _with_gaps(samples: Sequence[tuple[float, float, Sample]]) -> list[tuple[float, float, Sample]]:
    """With a sample of no seconds wherever the gateway was away: no line is drawn there."""
    found: list[tuple[float, float, Sample]] = []
    for at, seconds, one in samples:
        if found and at - seconds > found[-1][0] + seconds / 2:
            found.append((found[-1][0] + 0.001, 0.0, Sample()))
        found.append((at, seconds, one))
    return found


def table(ring: Ring, name: str) -> list[View]:
    """Some of them as rows, the newest first."""
    samples = ring.samples(name, 0.0)
    every = max(1, len(samples) // MAX_ROWS)
    picked = samples[::-1][::every][:MAX_ROWS]
    return [
        {"at": iso(at), **{key: column(one, seconds) for key, column in COLUMNS.items()}} for at, seconds, one in picked
    ]


def _part(count: float, of: float) -> float | None:
    return round(count / of, 6) if of else None
