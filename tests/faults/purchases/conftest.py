"""Scenarios share running systems: each has new users and items, and starts without faults."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.support.folder import close_after
from tests.support.system.scene import PATIENT, Scene, embedded, on_parts

_EMBEDDED = pytest.param(embedded, id="embedded", marks=pytest.mark.walk)
_REAL = pytest.param(on_parts, id="real parts", marks=pytest.mark.connected)
_HAS_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """For the fixture `scene`."""
    report = yield
    item.stash[_HAS_FAILED] = item.stash.get(_HAS_FAILED, False) or report.failed
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On embedded parts, and on RabbitMQ, PostgreSQL and FerretDB; PARTS in a file chooses one."""
    if "shared" in metafunc.fixturenames and not hasattr(metafunc.module, "shared"):
        parts = {"embedded": (_EMBEDDED,), "real": (_REAL,), "both": (_EMBEDDED, _REAL)}
        metafunc.parametrize("shared", parts[getattr(metafunc.module, "PARTS", "both")], indirect=True)


Opener = Callable[[Path, int], AbstractContextManager[Scene]]


class Stage:
    """At most one running system: the last one requested. After a failed test it is replaced."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._stack = ExitStack()
        self._shown: tuple[Opener, int] | None = None
        self._scene: Scene | None = None

    def scene(self, opener: Opener, cancel_after_s: int) -> Scene:
        if self._scene is None or self._shown != (opener, cancel_after_s):
            self.close()
            folder = self._factory.mktemp("scene")
            self._scene = self._stack.enter_context(opener(folder, cancel_after_s))
            self._shown = opener, cancel_after_s
        return self._scene

    def close(self) -> None:
        self._scene = None
        self._stack.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory)
    close_after(pytestconfig, Path(__file__).parent, stage.close)
    yield stage
    stage.close()


@pytest.fixture
def shared(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Scene]:
    """A file may set CANCEL_AFTER_S."""
    yield stage.scene(request.param, getattr(request.module, "CANCEL_AFTER_S", PATIENT))
    if request.node.stash.get(_HAS_FAILED, False):
        stage.close()


@pytest.fixture
def scene(shared: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Without faults and failed messages; prints the logs if the test fails."""
    shared.heal()
    for service in ("account", "shop"):
        shared.run(f"DELETE FROM {shared.table(service, 'parked')}")
    logs = sorted(shared.system.folder.glob("*.log"))
    before = {log: log.stat().st_size for log in logs}
    yield shared
    if request.node.stash.get(_HAS_FAILED, False):
        for log in sorted(shared.system.folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_bytes()[before.get(log, 0) :].decode(errors='replace')[-4000:]}")
