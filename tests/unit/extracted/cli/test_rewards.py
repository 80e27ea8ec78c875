"""The audit of rewards: what is earned is paid, once, with the same points."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from extracted.cli.rewards import compared

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(id: str, state: str = "earned", age_s: int = 120, amount: int = 10) -> dict[str, Any]:
    changed = (NOW - timedelta(seconds=age_s)).isoformat()
    return {"id": id, "state": state, "amount": amount, "changedAt": changed}


@pytest.mark.parametrize(
    ("rewards", "paid", "breaches"),
    [
        ([row("1"), row("2", "paid_elsewhere"), row("3", "intended")], {"1": 10}, []),
        ([row("1", age_s=30)], {}, []),
        ([row("1")], {}, [("reward_unpaid", "1")]),
        ([row("1")], {"1": 11}, [("reward_differs", "1")]),
        ([row("1")], {"1": 0}, [("reward_differs", "1")]),
        ([], {"1": 10}, [("reward_not_earned", "1")]),
        ([row("1", "paid_elsewhere")], {"1": 10}, [("reward_not_earned", "1")]),
        ([row("1", "intended", age_s=1000)], {}, [("reward_unsettled", "1")]),
    ],
)
def test_each_breach_has_its_name(rewards: list[Any], paid: dict[str, int], breaches: list[tuple[str, str]]) -> None:
    found = compared(rewards, {id: {"amount": amount} for id, amount in paid.items()}, NOW)
    assert found.breaches == breaches
    assert (found.earned, found.paid) == (len([one for one in rewards if one["state"] == "earned"]), len(paid))
