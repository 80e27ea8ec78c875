"""Storage for tests: a fresh database each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.extracted.mailer.databases import BOTH, Kept, kept


@pytest.fixture(params=BOTH)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """On SQLite, and (connected) on PostgreSQL."""
    async with kept(request.param(tmp_path)) as running:
        yield running
