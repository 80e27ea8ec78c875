"""A JSON file in the state directory that outlives the process: read at the start, replaced every few seconds."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chassis.error_reason import reason
from strangler_gateway.migration.saved import whole_file

MAX_BYTES = 16 << 20


class SavedFile:
    """Methods block, except `snapshot`: call them from a thread."""

    def __init__(
        self, path: Path, snapshot: Callable[[], object], restore: Callable[[Any], None], without_it: str
    ) -> None:
        """`restore` continues from what `snapshot` made; it raises if it cannot, and then has restored nothing."""
        self.path = path
        self._snapshot = snapshot
        self._restore = restore
        self._without_it = without_it
        self._written: object = None

    def restore(self) -> str | None:
        """Continues from the file. If it cannot be used, returns why, and what follows."""
        try:
            self._restore(json.loads(whole_file.read(self.path, MAX_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as exc:
            return f"{self.path.name} cannot be read ({reason(exc)}): {self._without_it}"
        return None

    def snapshot(self) -> object:
        """What `write` writes. Call it on the loop, where it changes."""
        return self._snapshot()

    def write(self, snapshot: object) -> None:
        """Replaces the file if anything has changed. Raises OSError, also for more than could be read again."""
        if snapshot != self._written:
            data = json.dumps(snapshot, separators=(",", ":")).encode()
            if len(data) > MAX_BYTES:
                raise OSError(errno.EFBIG, f"it would have {len(data)} bytes, at most {MAX_BYTES} are read")
            whole_file.replace(self.path, data, 0o600)
            self._written = snapshot


def differences_file(folder: Path, snapshot: Callable[[], object], restore: Callable[[Any], None]) -> SavedFile:
    """The file `differences.json`: the examples that shadow has kept."""
    return SavedFile(folder / "differences.json", snapshot, restore, "the examples of differences start anew")
