"""Changes the clocks of running processes: libfaketime reads the offset from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from parts import faketime
from parts.place import PartFailed

HOUR_S = 3600


@dataclass(frozen=True)
class Clock:
    """The time of day of all processes started with `environ`; their monotonic clock is unchanged."""

    file: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """Fails if the library is missing. Until `put`, the clock shows the real time."""
        if not self.file.exists():
            self.put(0)
        try:
            library = faketime.library()
        except PartFailed as error:
            pytest.fail(f"{error} (`make parts` installs it)", pytrace=False)
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def put(self, by_s: int) -> None:
        """Sets the clock ahead of the real time, or behind it if negative."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{by_s:+d}s")
        new.replace(self.file)
