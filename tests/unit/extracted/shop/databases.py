"""What the shop's storage is tested on."""

from pathlib import Path

import pytest

from tests.support.connected import fresh_postgres
from tests.support.stores import Stores, on_sqlite


def on_postgres(_folder: Path) -> Stores:
    return Stores(fresh_postgres())


BOTH = (
    pytest.param(on_sqlite, id="sqlite"),
    pytest.param(on_postgres, id="postgresql", marks=pytest.mark.connected),
)
"""For the `params` of a fixture: it opens `request.param(folder)`."""
