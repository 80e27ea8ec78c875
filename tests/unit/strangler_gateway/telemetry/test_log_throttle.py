"""A store that is away does not fill the disk with lines that say so."""

import logging

import pytest

from chassis.auth.claims import IdentityUnavailable
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.telemetry.log_throttle import EVERY_S, MAX_SUBJECTS, OTHERS, LogThrottle, SubjectThrottle
from tests.support.gateway.exchanges import Clock


def test_a_recurring_trouble_is_told_at_once_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    throttle = LogThrottle(clock)
    for _ in range(100):
        throttle.warn("identity", IdentityUnavailable("store away"))
    assert [record.getMessage() for record in caplog.records] == [
        "identity: store away (0 times more since the last line)"
    ]
    clock.now += EVERY_S
    throttle.warn("identity", IdentityUnavailable("store away"))
    assert caplog.records[1].getMessage() == "identity: store away (99 times more since the last line)"


def test_subjects_are_told_apart_and_kept_in_bounds() -> None:
    clock = Clock()
    throttle = SubjectThrottle(clock)
    told = [throttle.told(str(n)) for n in range(MAX_SUBJECTS + 50)]
    assert told == [*((str(n), 0) for n in range(MAX_SUBJECTS)), (OTHERS, 0), *[None] * 49]
    assert throttle.told("0") is None
    assert len(throttle._quiet) == MAX_SUBJECTS + 1
    clock.now += EVERY_S
    assert [throttle.told(one) for one in ("0", "new", "1")] == [("0", 1), ("new", 0), ("1", 0)]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (IdentityUnavailable("away"), logging.WARNING),
        (UpstreamError("connection_refused", "The upstream shop refused the connection.", "connect"), logging.WARNING),
        (TimeoutError(), logging.WARNING),
        (KeyError("x"), logging.ERROR),
    ],
)
def test_only_what_should_not_happen_comes_with_its_stack(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    LogThrottle(Clock()).warn("identity", error)
    [record] = caplog.records
    assert (record.levelno, bool(record.exc_info)) == (level, level == logging.ERROR)
