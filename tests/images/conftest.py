"""The engine that `make images` built the images with."""

import pytest

from images.__main__ import engine as find_engine
from images.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    return find_engine()
