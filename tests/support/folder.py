"""What the tests of a folder share ends when they do: idle, it takes processor time from all others."""

from collections.abc import Callable
from pathlib import Path

import pytest

_OPEN = pytest.StashKey[dict[Path, Callable[[], None]]]()


def close_after(config: pytest.Config, folder: Path, close: Callable[[], None]) -> None:
    """`close` is called each time that a test of another folder follows; what it closed may be opened again."""
    config.stash.setdefault(_OPEN, {})[folder] = close


def leave(config: pytest.Config, nextitem: pytest.Item | None) -> None:
    """Closes what the next test has no part in; None: there is none."""
    within = set() if nextitem is None else set(nextitem.path.parents)
    for folder, close in config.stash.get(_OPEN, {}).items():
        if folder not in within:
            close()
