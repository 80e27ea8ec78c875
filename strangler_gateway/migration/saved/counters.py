"""Keeps the counters over restarts."""

import logging
from pathlib import Path
from typing import Any

from strangler_gateway.migration.saved.saved_file import SavedFile
from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)


def counters_file(path: Path, stats: Stats) -> SavedFile:
    """The file `counters.json`."""

    def restore(saved: Any) -> None:
        unread = stats.restore(_whole(saved))
        if unread:
            names = ", ".join(unread)
            log.warning("%s is damaged: what the present step of %s has shown begins anew", path.name, names)

    return SavedFile(path, stats.snapshot, restore, "the counters start at zero")


def _whole(saved: Any) -> dict[str, Any]:
    """The snapshot if it is complete: a part of one would say that the rest was never counted. Raises TypeError."""
    routes, undeclared = saved["routes"], saved["undeclared"]
    if not (isinstance(saved["since"], int | float) and isinstance(routes, dict) and isinstance(undeclared, dict)):
        raise TypeError("it is not a snapshot")
    if not all(isinstance(route, dict) for route in routes.values()):
        raise TypeError("a route in it is not an object")
    return dict(saved)
