"""What the monolith's runner answers, by strategy (contract §7, corrections C10)."""

import pytest

from extracted.runner.domain import Strategy, accepts, exit_code, timed_out, unsupported

DOCKER, FORKEXEC, KUBERNETES = Strategy


@pytest.mark.parametrize(
    ("strategy", "language", "version", "taken"),
    [
        (FORKEXEC, "NODE", "99", True),
        (DOCKER, "NODE", None, True),
        (DOCKER, "NODE", "18", True),
        (KUBERNETES, "PYTHON", "3.9", True),
        (DOCKER, "NODE", "99", False),
        (KUBERNETES, "PYTHON", "3", False),
        (KUBERNETES, "RUST", "", False),
    ],
)
def test_forkexec_alone_ignores_the_version(
    strategy: Strategy, language: str, version: str | None, taken: bool
) -> None:
    assert accepts(strategy, language, version) is taken


def test_a_version_that_is_not_named_is_undefined() -> None:
    assert unsupported("NODE", None) == "Language NODE for version undefined is not supported"


@pytest.mark.parametrize(
    ("strategy", "answer"),
    [
        (DOCKER, {"stdout": "a", "stderr": "b"}),
        (FORKEXEC, {"stdout": "a", "stderr": "b", "exitCode": -128}),
        (KUBERNETES, {"stdout": "a", "stderr": "Execution timed out : 15 seconds", "exitCode": -128}),
    ],
)
def test_each_strategy_tells_a_time_out_in_its_way(strategy: Strategy, answer: dict[str, object]) -> None:
    assert timed_out(strategy, "a", "b", 15.0) == answer


@pytest.mark.parametrize(
    ("strategy", "ended", "limited", "code"),
    [
        (FORKEXEC, (3, None), False, 3),
        (FORKEXEC, (None, 11), False, None),
        (FORKEXEC, (None, 9), True, 137),
        (FORKEXEC, (0, None), True, 137),
        (DOCKER, (None, 11), False, 139),
        (KUBERNETES, (None, 9), True, 137),
    ],
)
def test_a_signal_has_no_exit_code_under_forkexec_and_a_limit_is_no_success(
    strategy: Strategy, ended: tuple[int | None, int | None], limited: bool, code: int | None
) -> None:
    assert exit_code(strategy, *ended, limited=limited) == code
