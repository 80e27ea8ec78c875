"""The steps of a plan as routes.yaml writes them."""

import pytest

from strangler_gateway.table.rules.plan import PlanStep, parse_step, parse_steps


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("shadow 1h", PlanStep("shadow", 0, 3600)),
        ("shadow", PlanStep("shadow")),
        ("canary 1%", PlanStep("canary", 100)),
        ("canary 12.5 %  90m", PlanStep("canary", 1250, 5400)),
        ("canary 0.01% 2d", PlanStep("canary", 1, 172_800)),
        ("extracted", PlanStep("extracted")),
    ],
)
def test_a_step_has_a_place_and_a_time(text: str, step: PlanStep) -> None:
    assert parse_step(text) == step


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("canary", "a canary has a share"),
        ("canary 10", "a canary has a share"),
        ("canary 0%", "more than 0 %"),
        ("canary 101%", "at most 100 %"),
        ("canary 0.001%", "a canary has a share"),
        ("shadow 1 h", "is no step"),
        ("legacy", "is no step"),
        ("extracted 1h", "nothing follows extracted"),
        ("retired", "a decision of a person"),
        ("", "is no step"),
    ],
)
def test_what_is_no_step_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_step(text)


@pytest.mark.parametrize("texts", [["canary 10%", "canary 10% 1h"], ["canary 10%", "shadow"], ["extracted", "shadow"]])
def test_a_plan_only_goes_forward(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="does not lead further"):
        parse_steps(texts)
