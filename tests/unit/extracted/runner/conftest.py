"""One application for the tests of a module's routes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.extracted.runner.served import Served, served


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running
