"""What tests of a service's frame share."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from chassis.service import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What the service logs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("thing", "INFO", stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
