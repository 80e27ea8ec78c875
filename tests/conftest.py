"""What all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.effort import examples

# The machine is shared and slow at times: how long one example takes tells nothing.
settings.register_profile("steady", deadline=None, max_examples=examples(100))
settings.load_profile("steady")

TESTS = Path(__file__).parent
TOGETHER = ("loopback", "suites", "examples/monolith", "extracted/account", "extracted/shop")
"""Folders whose tests share running processes."""


def pytest_xdist_auto_num_workers() -> int:
    """More than cores: a good part of the tests waits for clocks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + max(1, cores // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs what shares processes, so that they start once: a file or a folder, lane by lane."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(TESTS)
    folder = file.parent.as_posix()
    lane = getattr(item, "callspec").params.get("lane", "") if hasattr(item, "callspec") else ""  # noqa: B009
    return f"{folder if folder in TOGETHER else file.as_posix()} {lane}".strip()
