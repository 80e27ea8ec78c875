"""Which gateways' counters belong together: one that has lost a part of its own makes all of them begin anew.

Each gateway's counters have an id, which changes whenever a part of them may be lost: at every start, unless the
process before stopped gracefully. `together`: the ids, by gateway, with which this gateway began to count. Counters may
be added up only where all of them began with the same ids. No clock is compared.
"""

import json
import logging
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 20
KEEP_GONE_S = 30.0
"""So long the counters of a gateway that stopped gracefully are waited for: it may only be starting again."""


class Counting:
    """Of one gateway. `path`: exists only between a graceful stop and the next start. Methods block."""

    def __init__(self, path: Path, stats: Stats) -> None:
        self.id = secrets.token_hex(4)
        self.together: Mapping[str, str] = {}
        self._path, self._stats = path, stats

    def resume(self) -> None:
        """At the start: goes on counting if the last process has left nothing out."""
        try:
            saved = json.loads(self._path.read_bytes()[:MAX_BYTES])
            self._path.unlink()  # before anything counts: a crash from here on is noticed
            found, together = str(saved["id"]), {str(k): str(v) for k, v in saved["together"].items()}
            anew = saved["anew"]
            if anew is not None:
                self._stats.anew = {str(route): _five(row) for route, row in anew["routes"].items()}
                self._stats.anew_at = float(anew["at"])
            self.id, self.together = found, together
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as exc:
            log.warning("%s cannot be used (%s): the gateways will count anew", self._path.name, exc)

    def keep(self) -> None:
        """At a graceful stop, once the counters themselves are written."""
        anew = self._stats.anew
        saved = {
            "id": self.id,
            "together": dict(self.together),
            "anew": None if anew is None else {"at": self._stats.anew_at, "routes": anew},
        }
        with suppress(OSError):
            self._path.write_text(json.dumps(saved), encoding="utf-8")

    def begin(self, together: Mapping[str, str]) -> None:
        """Counts anew, together with these; does nothing if it does so already."""
        if together != self.together:
            self._stats.begin_anew()
            self.together = dict(together)


@dataclass(frozen=True, slots=True)
class Apart:
    """Counters that cannot be added up. `begin`: the ids with which all have to begin anew, or None: wait."""

    names: tuple[str, ...]
    """Of the gateways because of which it is so."""
    begin: Mapping[str, str] | None


def apart(rows: Iterable[tuple[str, str, Mapping[str, str]]]) -> Apart | None:
    """`rows`: of each gateway its name, the id of its counters, and `together`. None: they may be added up.

    Where nobody is new and gateways are only gone, `begin` is None: they may come back with all that they counted.
    """
    rows = list(rows)
    wanted = {name: own for name, own, _ in rows}
    others = [together for _, _, together in rows if together != wanted]
    if not others:
        return None
    new = {name for together in others for name in wanted if together.get(name) != wanted[name]}
    gone = {name for together in others for name in together if name not in wanted}
    return Apart(tuple(sorted(new or gone)), wanted if new else None)


def _five(row: Any) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = map(int, row)
    return a, b, c, d, e
