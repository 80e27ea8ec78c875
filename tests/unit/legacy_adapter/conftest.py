"""A database of the monolith a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.monolith_file import MonolithFile


@pytest.fixture
def monolith(tmp_path: Path) -> Iterator[MonolithFile]:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    yield file
    file.close()
