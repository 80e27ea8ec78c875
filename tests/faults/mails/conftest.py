"""One Mailer that scenarios share, on each kind of parts: whole, and with nothing in its books, before each."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.system.mailing import MailScene, embedded, on_parts

PARTS = [
    pytest.param(embedded, id="embedded", marks=pytest.mark.walk),
    pytest.param(on_parts, id="real parts", marks=pytest.mark.connected),
]
ON_REAL_PARTS = PARTS[1:]
"""For `shared`, where only the number of mails is new: both kinds have the same senders."""


@pytest.fixture(scope="module", params=PARTS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailScene]:
    with request.param(tmp_path_factory.mktemp("mail")) as scene:
        yield scene


@pytest.fixture
def scene(shared: MailScene, record_property: Callable[[str, object], None]) -> Iterator[MailScene]:
    """What Mailer said is shown where the test fails, the sum of I9 always."""
    shared.heal()
    logs = {process.log: process.log.stat().st_size for process in shared.mailers}
    yield shared
    for line in shared.closed:
        record_property("books", line)
    for log, before in logs.items():
        print(f"== {log.name}\n{log.read_bytes()[before:].decode(errors='replace')[-6000:]}")
