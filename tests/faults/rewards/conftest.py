"""Scenarios share a running system: each has new students and exercises, and starts without faults."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.support.folder import close_after
from tests.support.system.rewarding import RewardScene, rewards_embedded, rewards_on_parts
from tests.support.system.scene import Scene

_HAS_FAILED = pytest.StashKey[bool]()
_EVERYWHERE = (
    pytest.param(rewards_embedded, id="embedded", marks=pytest.mark.walk),
    pytest.param(rewards_on_parts, id="real parts", marks=pytest.mark.connected),
)
Opener = Callable[[Path], AbstractContextManager[Scene]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """For the fixture `lesson`."""
    report = yield
    item.stash[_HAS_FAILED] = item.stash.get(_HAS_FAILED, False) or report.failed
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On embedded parts and on the real servers; PARTS = "real" in a file: only there."""
    if "running" in metafunc.fixturenames:
        only = getattr(metafunc.module, "PARTS", "both")
        metafunc.parametrize("running", _EVERYWHERE if only == "both" else _EVERYWHERE[1:], indirect=True)


class RewardStage:
    """At most one running system: the last one requested. After a failed test it is replaced."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._stack = ExitStack()
        self._opener: Opener | None = None
        self._scene: RewardScene | None = None

    def scene(self, opener: Opener) -> RewardScene:
        if self._scene is None or self._opener != opener:
            self.close()
            scene = self._stack.enter_context(opener(self._factory.mktemp("rewards")))
            self._scene, self._opener = RewardScene(scene), opener
        return self._scene

    def close(self) -> None:
        self._scene = None
        self._stack.close()


@pytest.fixture(scope="session")
def reward_stage(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[RewardStage]:
    stage = RewardStage(tmp_path_factory)
    close_after(pytestconfig, Path(__file__).parent, stage.close)
    yield stage
    stage.close()


@pytest.fixture
def running(request: pytest.FixtureRequest, reward_stage: RewardStage) -> Iterator[RewardScene]:
    yield reward_stage.scene(request.param)
    if request.node.stash.get(_HAS_FAILED, False):
        reward_stage.close()


@pytest.fixture
def lesson(running: RewardScene, request: pytest.FixtureRequest) -> Iterator[RewardScene]:
    """Without faults, the group of points extracted and not serialised; prints the logs if the test fails."""
    scene = running.scene
    scene.heal()
    logs = sorted(scene.system.folder.glob("*.log"))
    before = {log: log.stat().st_size for log in logs}
    yield running
    if request.node.stash.get(_HAS_FAILED, False):
        for log in sorted(scene.system.folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_bytes()[before.get(log, 0) :].decode(errors='replace')[-4000:]}")
