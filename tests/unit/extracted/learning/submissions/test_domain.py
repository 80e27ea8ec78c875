"""What counts as a success, and what it is worth (contract §6.4)."""

from typing import Any

import pytest

from extracted.learning.domain import Compat, Unexpected, ValueRefused
from extracted.learning.submissions import domain
from extracted.learning.submissions.domain import CodeResult, RewardedContent, SubmissionResult, ValidatorCase

CHILD = "a-child"


@pytest.mark.parametrize(
    ("stdout", "expected", "exit_code", "success"),
    [
        ("4\n", ["4"], 0, True),
        ("4", ["4"], 0, False),
        ("4\nrest", ["4"], 0, True),
        ("4\n\n", ["4"], 0, False),
        ("", [], 0, True),
        ("\n", [], 0, False),
        ("\n", [""], 0, True),
        (" \ufeff4\u2003\r\n", ["\t4"], 0, True),
        ("\x1f4\n", ["4"], 0, False),
        ("a\nb\n", ["a", "b"], 0, True),
        ("b\na\n", ["a", "b"], 0, False),
        ("4\n", ["4"], 3, False),
        ("4\n", ["4"], -128, False),
    ],
)
def test_a_validator_compares_whole_lines_without_the_space_around_them(
    stdout: str, expected: list[str], exit_code: int, success: bool
) -> None:
    assert domain.passes(CodeResult(stdout, "", exit_code), expected) is success


def test_no_validators_are_a_success_in_the_monolith_alone() -> None:
    assert domain.verdict([], [], Compat.STRICT) == SubmissionResult(True, [])
    assert domain.verdict([], [], Compat.IMPROVED) == SubmissionResult(False, [])


@pytest.mark.parametrize("compat", Compat)
def test_one_validator_that_fails_is_enough(compat: Compat) -> None:
    cases = [ValidatorCase("1", [], ["x"]), ValidatorCase("2", [], ["y"])]
    results = [CodeResult("x\n", "", 0)] * 2
    assert domain.verdict(cases, results, compat) == SubmissionResult(False, [("1", True), ("2", False)])
    assert domain.verdict(cases[:1], results[:1], compat) == SubmissionResult(True, [("1", True)])


@pytest.mark.parametrize(
    ("reward", "children", "amount"),
    [(10, [CHILD], 10), (10.0, [CHILD, "b"], 10), (0, [CHILD], 0), (10, [], 0), (10, ["b"], 0), ("x", ["b"], 0)],
)
def test_a_direct_child_of_the_root_earns_the_reward(reward: object, children: list[str], amount: int) -> None:
    assert domain.amount(RewardedContent(reward, children), CHILD) == amount


@pytest.mark.parametrize("reward", [0.5, -1, 2**31, 1e300, None, "10", True])
def test_points_that_the_column_does_not_take_are_refused(reward: object) -> None:
    with pytest.raises(ValueRefused):
        domain.amount(RewardedContent(reward, [CHILD]), CHILD)


def test_a_root_without_children_is_found_out_after_the_run() -> None:
    with pytest.raises(Unexpected):
        domain.amount(RewardedContent(10, None), CHILD)


@pytest.mark.parametrize(
    "validator",
    [{}, {"id": "1"}, {"id": "1", "input": None, "expected": {"stdout": []}},
     {"id": "1", "input": {"stdin": [1]}, "expected": {"stdout": []}},
     {"id": "1", "input": {"stdin": []}, "expected": {"stdout": "x"}}],
)  # fmt: skip
def test_a_broken_validator_is_a_refusal_and_no_crash(validator: dict[str, Any]) -> None:
    with pytest.raises(Unexpected):
        domain.case(validator)


def test_a_component_has_validators_none_or_a_broken_field() -> None:
    assert domain.validators_of({"data": {"validators": []}}) == []
    assert domain.validators_of({}) is None
    assert domain.validators_of({"data": None}) is None
    with pytest.raises(Unexpected):
        domain.validators_of({"data": {"validators": {"a": 1}}})
