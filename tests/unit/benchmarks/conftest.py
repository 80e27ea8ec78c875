import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.common.processes import start, wait_until_accepts
from parts.ports import free_port


@pytest.fixture
def origin_port(tmp_path: Path) -> Iterator[int]:
    """The benchmark's own upstream, running."""
    port = free_port()
    with ExitStack() as closing:
        child = start(closing, "origin", [sys.executable, "-m", "benchmarks.common.origin", str(port)], tmp_path, None)
        wait_until_accepts(child, port)
        yield port
