"""The runner of the recorded submissions."""

from collections.abc import Iterator

import httpx
import pytest

from tests.recordings.conversation import RUNNER
from tests.recordings.running import running_runner


@pytest.fixture(scope="module")
def runner_url() -> Iterator[str]:
    """A runner in which Node ran once: its first start may take longer than the recorded time limit."""
    with running_runner(RUNNER) as runner:
        trivial = {"sourceCode": "", "stdin": [], "settings": {"language": "NODE"}}
        httpx.post(f"{runner.url}/run", json=trivial, trust_env=False, timeout=60).raise_for_status()
        yield runner.url
