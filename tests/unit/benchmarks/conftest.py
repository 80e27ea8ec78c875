import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import start, wait_until_accepts
from parts.process import free_port


@pytest.fixture
def origin_port(tmp_path: Path) -> Iterator[int]:
    """The benchmark's own upstream, running."""
    port = free_port()
    child = start("origin", [sys.executable, "-m", "benchmarks.origin", str(port)], tmp_path, None)
    try:
        wait_until_accepts(child, port)
        yield port
    finally:
        child.end()
