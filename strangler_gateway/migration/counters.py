"""Keeps the counters over restarts: writes all of them every few seconds, reads them at the start."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strangler_gateway.migration import whole_file
from strangler_gateway.telemetry.stats import Stats

MAX_BYTES = 16 << 20


class Counters:
    """The file `counters.json`. Methods block, except `snapshot`: call them from a thread."""

    def __init__(self, path: Path, stats: Stats) -> None:
        self.path = path
        self.stats = stats
        self.written: Mapping[str, Any] | None = None

    def restore(self) -> str | None:
        """Continues from the file. If it cannot be used, returns why, and the counters start at zero."""
        try:
            self.stats.restore(_whole(json.loads(whole_file.read(self.path, MAX_BYTES))))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as exc:
            return f"{self.path.name} cannot be read ({exc}): the counters start at zero"
        return None

    def snapshot(self) -> dict[str, Any]:
        """What `write` writes. Call it on the loop, where the counters change."""
        return self.stats.snapshot()

    def write(self, snapshot: dict[str, Any]) -> None:
        """Replaces the file if anything has changed. Raises OSError."""
        if snapshot != self.written:
            whole_file.replace(self.path, json.dumps(snapshot, separators=(",", ":")).encode(), 0o600)
            self.written = snapshot


def _whole(saved: Any) -> dict[str, Any]:
    """The snapshot if it is complete: a part of one would say that the rest was never counted. Raises TypeError."""
    routes, undeclared = saved["routes"], saved["undeclared"]
    if not (isinstance(saved["since"], int | float) and isinstance(routes, dict) and isinstance(undeclared, dict)):
        raise TypeError("it is not a snapshot")
    if not all(isinstance(route, dict) for route in routes.values()):
        raise TypeError("a route in it is not an object")
    return dict(saved)
