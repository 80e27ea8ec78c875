"""Compares the rewards that Learning says are earned with those that Account has paid."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from extracted.cli.client import OperationsClient

UNPAID_AFTER: Final = timedelta(minutes=1)
UNSETTLED_AFTER: Final = timedelta(minutes=15)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RewardAudit:
    """`breaches`: (kind, reward id)."""

    earned: int
    paid: int
    breaches: list[tuple[str, str]]

    def shown(self) -> dict[str, object]:
        """As JSON."""
        found = [{"kind": kind, "rewardId": reward_id} for kind, reward_id in self.breaches]
        return {"earned": self.earned, "paid": self.paid, "breaches": found}


def audit(account: OperationsClient, learning: OperationsClient) -> RewardAudit:
    """Asks Account first: what it has paid by then was earned before."""
    now = datetime.now(UTC)
    paid = {row["id"]: row for row in account.pages("rewards", "rows", limit=1000)}
    return compared(list(learning.pages("rewards", "rows", limit=1000)), paid, now)


def compared(rewards: Iterable[Row], paid: Mapping[str, Row], now: datetime) -> RewardAudit:
    """`rewards`: Learning's rows. `paid`: Account's, by id, as they were at `now`."""
    earned = {row["id"]: row for row in rewards if row["state"] == "earned"}
    found = [*_unpaid(earned, paid, now), *_wrongly_paid(earned, paid)]
    found += [("reward_unsettled", row["id"]) for row in rewards if _is_stuck(row, now)]
    return RewardAudit(len(earned), len(paid), found)


def _unpaid(earned: Mapping[str, Row], paid: Mapping[str, Row], now: datetime) -> Iterable[tuple[str, str]]:
    for reward_id, row in earned.items():
        if reward_id not in paid and _changed(row) < now - UNPAID_AFTER:
            yield "reward_unpaid", reward_id


def _wrongly_paid(earned: Mapping[str, Row], paid: Mapping[str, Row]) -> Iterable[tuple[str, str]]:
    for reward_id, row in paid.items():
        if reward_id not in earned:
            yield "reward_not_earned", reward_id
        elif earned[reward_id]["amount"] != row["amount"]:
            yield "reward_differs", reward_id


def _is_stuck(row: Row, now: datetime) -> bool:
    return row["state"] == "intended" and _changed(row) < now - UNSETTLED_AFTER


def _changed(row: Row) -> datetime:
    return datetime.fromisoformat(row["changedAt"])
