"""The shop's decisions on real storage, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.connected import fresh_postgres
from tests.support.stores import Stores, on_sqlite
from tests.unit.extracted.shop.selling import Selling, selling


def on_postgres(_folder: Path) -> Stores:
    return Stores(fresh_postgres())


@pytest.fixture(
    params=[
        pytest.param(on_sqlite, id="sqlite"),
        pytest.param(on_postgres, id="postgresql", marks=pytest.mark.connected),
    ]
)
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Selling]:
    async with selling(request.param(tmp_path)) as running:
        yield running
