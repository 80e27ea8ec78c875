"""The processes that counted: when each began, and whether it ended with everything written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

MAX_RUNS = 200
"""The latest are kept."""


@dataclass(frozen=True, slots=True)
class CountedRun:
    """One process of a gateway, in Unix seconds. `stopped` is None while it runs, and for ever if it was killed."""

    started: float
    stopped: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """As `counters.json` keeps it."""
        return {"started": self.started, "stopped": self.stopped}


def run_from_json(raw: Mapping[str, Any]) -> CountedRun:
    """Raises LookupError, TypeError, ValueError."""
    stopped = raw["stopped"]
    return CountedRun(float(raw["started"]), None if stopped is None else float(stopped))


def following(earlier: Sequence[CountedRun], run: CountedRun) -> list[CountedRun]:
    """The runs with one more, bounded."""
    return [*earlier, run][-MAX_RUNS:]


def ended(runs: Sequence[CountedRun], at: float) -> list[CountedRun]:
    """The last one stopped with everything written."""
    return [*runs[:-1], replace(runs[-1], stopped=at)]
