"""Clocks of processes that are put forward and back while they run: libfaketime, with a file that tells by how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from parts import faketime
from parts.place import PartFailed

HOUR_S = 3600


@dataclass(frozen=True)
class Clock:
    """The time of day of all processes that are started with `environ`; their monotonic clock goes on as it does."""

    file: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """Fails where the library is missing. It shows the real time unless put elsewhere."""
        if not self.file.exists():
            self.put(0)
        try:
            library = faketime.library()
        except PartFailed as error:
            pytest.fail(f"{error}; `make parts` does it", pytrace=False)
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def put(self, by_s: int) -> None:
        """Ahead of the real time by so much from now on, behind it where negative."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{by_s:+d}s")
        new.replace(self.file)
