"""A sandbox of the plain backend."""

from collections.abc import AsyncIterator

import pytest

from extracted.runner.sandbox.opening import SandboxChoice, open_sandbox
from extracted.runner.sandbox.port import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    opened = await open_sandbox(SandboxChoice(backend="plain"))
    yield opened
    await opened.aclose()
