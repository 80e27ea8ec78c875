"""What all tests share."""

import os
import signal
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from chassis.imports import collector_off
from tests.support.effort import examples
from tests.support.folder import leave

if TYPE_CHECKING:
    from tests.support.keycloak.identity import AppliedRealm

# The machine is shared and slow at times: how long one example takes tells nothing.
settings.register_profile("steady", deadline=None, max_examples=examples(100))
settings.load_profile("steady")

# What a shell puts into the background ignores SIGINT, and so would what the tests start, to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What belongs to the shell of whoever runs them. The proxy for HTTPS stays: pip may need it.
for name in [*os.environ]:
    if name.lower() in ("http_proxy", "all_proxy") or name.startswith("STRANGLER_"):
        del os.environ[name]

_SHARE = (
    *("http", "parity", "parity/account", "parity/learning", "parity/shop"),
    *("unit/examples/monolith", "unit/extracted/account", "unit/extracted/shop/api"),
)
TOGETHER = tuple(f"tests/{name}" for name in _SHARE)
"""Folders whose tests share running processes."""
_LONG = "parity recordings faults unit/examples unit/supply_chain unit/benchmarks traces docs"
FIRST = tuple(f"tests/{name}" for name in _LONG.split())
"""Folders whose tests take long, one by one: they begin first, so that no worker has one left when the others end."""
BOOKS = "books"
"""A property of a test: one line of figures, shown at the end."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """One worker runs what shares processes, so that they start once: a file or a folder."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in TOGETHER else file

    def _assign_work_unit(self, node: object) -> None:
        """The queue itself is in the order of how many tests there are; the longest are alone in their files."""
        self.workqueue.move_to_end(min(self.workqueue, key=_rank), last=False)
        super()._assign_work_unit(node)


def _rank(scope: str) -> tuple[int, str]:
    """Of the first folder that has it, with its own folder: those of one share systems. Behind all: no folder."""
    ranks = (at for at, folder in enumerate(FIRST) if f"{scope}/".startswith(f"{folder}/"))
    rank = next(ranks, len(FIRST))
    return rank, scope.rpartition("/")[0] if rank < len(FIRST) else ""


@pytest.fixture(scope="session")
def keycloak() -> "AppliedRealm":
    """For connected tests: a realm of this session, on the real Keycloak, as `polycode identity apply` makes it."""
    from tests.support.keycloak.identity import applied_realm  # its library takes long to import

    return applied_realm()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """All modules of tests and fourteen thousand items stay to the end: the garbage collector need not look at them."""
    with collector_off():
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    return Together(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More than cores: a good part of the tests waits for clocks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + max(1, cores // 2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """After the fixtures of the test."""
    yield
    leave(item.config, nextitem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The books that a test has closed (tests/support/system/mailing.py), also where it passed."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    for report in reports:
        for line in (value for name, value in getattr(report, "user_properties", ()) if name == BOOKS):
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {line}")
