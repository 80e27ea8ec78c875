"""What was counted over time: the last minutes in memory, the last day and the last months also in a file."""

import asyncio
import base64
import zlib
from collections.abc import Callable, Iterable, Mapping
from math import nan
from pathlib import Path
from typing import Any, Final

from strangler_gateway.migration.saved.saved_file import SavedFile
from strangler_gateway.overview.ring import ALL, SAMPLE_BYTES, Ring, RingCopy, Sample

FINE_POINTS, DAY_POINTS, DAYS_POINTS = 300, 288, 360
DAY_EVERY_S, DAYS_EVERY_S = 300.0, 21_600.0
"""288 samples of five minutes are a day, 360 of six hours are 90 days."""
MAX_BYTES: Final = 1 << 20
"""Of the file; the groups with the fewest requests have no room in it."""
MAX_NAME: Final = 300


class History:
    """A ring of samples for each picture. Whoever adds to one asks for it after `restore`."""

    def __init__(self) -> None:
        self.fine, self.day, self.days = Ring(FINE_POINTS), Ring(DAY_POINTS), Ring(DAYS_POINTS)
        self._told: object = None

    async def sampled(self, names: Iterable[str]) -> None:
        """The day has a sample more: months get theirs when it is due, and the file is made. `names`: movables now."""
        self._sum_up()
        self.days.keep(names)
        copies = {"day": self.day.copy(), "days": self.days.copy()}
        self._told = await asyncio.to_thread(_encoded, copies)

    def _sum_up(self) -> None:
        """Samples of six hours, which begin at 0, 6, 12 and 18 UTC. How long requests took does not add up."""
        last, until = self.days.latest_at, self.day.latest_at // DAYS_EVERY_S * DAYS_EVERY_S
        due = [(at, seconds) for at, seconds, _ in self.day.samples(ALL, last) if at <= until]
        if due:
            every = {name: self.day.samples(name, last) for name in self.day.names}
            sums = {name: _sum([one for at, _, one in samples if at <= until]) for name, samples in every.items()}
            self.days.add(due[-1][0], sum(seconds for _, seconds in due), sums)

    def snapshot(self) -> object:
        """What the file holds; None: nothing yet."""
        return self._told

    def restore(self, saved: Any, now: float) -> None:
        """Continues from the file; what seems to be of the future is left out. Raises what SavedFile wants."""
        day, days = Ring(DAY_POINTS), Ring(DAYS_POINTS)
        day.restore(_decoded(saved["day"], now))
        days.restore(_decoded(saved["days"], now))
        self.day, self.days = day, days


def history_file(folder: Path, history: History, clock: Callable[[], float]) -> SavedFile:
    """The file `history.json`. `clock` tells Unix seconds."""

    def restore(saved: Any) -> None:
        try:
            history.restore(saved, clock())
        except (AttributeError, zlib.error) as exc:
            raise ValueError(f"it is not what this gateway writes: {exc}") from exc

    return SavedFile(folder / "history.json", history.snapshot, restore, "the charts begin anew")


def _sum(samples: list[Sample]) -> Sample:
    """Users are those since the start of the gateway, so the last ones are kept."""
    counts = [sum(one[at] for one in samples) for at in range(4)]
    last = next((one for one in reversed(samples) if one.users), Sample())
    return Sample._make((*counts, nan, nan, nan, nan, last.users_new, last.users))


def _encoded(copies: Mapping[str, RingCopy]) -> dict[str, Any]:
    """JSON-able, of at most about MAX_BYTES."""
    left = MAX_BYTES - 64 * (DAY_POINTS + DAYS_POINTS)
    told: dict[str, Any] = {
        name: {"times": one.times, "seconds": one.seconds, "rows": {}} for name, one in copies.items()
    }
    for name in _busiest(copies):
        packed = {ring: _packed(one.rows[name]) for ring, one in copies.items() if name in one.rows}
        left -= sum(map(len, packed.values())) + len(copies) * (len(name.encode()) + 10)
        if left < 0:
            break
        for ring, text in packed.items():
            told[ring]["rows"][name] = text
    return told


def _busiest(copies: Mapping[str, RingCopy]) -> list[str]:
    """The sum of all first, then by how much room they take: quiet ones take little."""
    sizes: dict[str, int] = {}
    for one in copies.values():
        for name, data in one.rows.items():
            sizes[name] = sizes.get(name, 0) + len(data) - data.count(0)
    return sorted(sizes, key=lambda name: (name != ALL, -sizes[name]))


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 1)).decode()


def _decoded(saved: Any, now: float) -> RingCopy:
    """Raises ValueError, TypeError, LookupError, AttributeError, zlib.error."""
    times, seconds = [float(at) for at in saved["times"]], [float(one) for one in saved["seconds"]]
    many = sum(at <= now for at in times)
    if len(times) > max(DAY_POINTS, DAYS_POINTS) or not all(0 < one < 1e11 for one in (*times, *seconds)):
        raise ValueError("the times of samples are none")
    rows = {}
    for name, text in saved["rows"].items():
        if len(name) > MAX_NAME:
            raise ValueError("a name is too long")
        size = len(times) * SAMPLE_BYTES
        data = zlib.decompressobj().decompress(base64.b64decode(text), size + 1)
        if len(data) != size:
            raise ValueError("a row has another length")
        rows[name] = data[: many * SAMPLE_BYTES]
    return RingCopy(times[:many], seconds[:many], rows)
