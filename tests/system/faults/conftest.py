"""Scenes that the scenarios of one file share: users and items are fresh in each, faults are healed before each."""

from collections.abc import Generator, Iterator

import pytest

from tests.system.scene import PATIENT, Scene, embedded, on_parts

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
    """On embedded parts, and on RabbitMQ, PostgreSQL and FerretDB, unless the file says PARTS."""
    if "shared" in metafunc.fixturenames and not hasattr(metafunc.module, "shared"):
        parts = {"embedded": (_EMBEDDED,), "real": (_REAL,), "both": (_EMBEDDED, _REAL)}
        metafunc.parametrize("shared", parts[getattr(metafunc.module, "PARTS", "both")], indirect=True, scope="module")


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A file may set CANCEL_AFTER_S."""
    cancel_after_s = getattr(request.module, "CANCEL_AFTER_S", PATIENT)
    with request.param(tmp_path_factory.mktemp("scene"), cancel_after_s) as scene:
        yield scene


@pytest.fixture
def scene(shared: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Whole again; what the processes said is shown where the test fails."""
    shared.heal()
    logs = sorted(shared.system.folder.glob("*.log"))
    before = {log: log.stat().st_size for log in logs}
    yield shared
    if request.node.stash.get(_HAS_FAILED, False):
        for log in sorted(shared.system.folder.glob("*.log")):
            print(f"== {log.name}\n{log.read_bytes()[before.get(log, 0) :].decode(errors='replace')[-4000:]}")
