"""Turns rows into values, and values into rows."""

import json
from typing import Any

from sqlalchemy import Row

from extracted.account.purchases.domain.purchase import (
    FailureReason,
    Item,
    LedgerEntry,
    Purchase,
    RequestOutcome,
    RequestRecord,
)
from extracted.account.purchases.domain.saga import PurchaseState


def purchase(row: Row[Any]) -> Purchase:
    """A row of `purchases`."""
    return Purchase(
        row.id,
        row.user_id,
        row.item_id,
        Item(**json.loads(row.item)),
        row.price,
        PurchaseState(row.state),
        row.created_at,
        FailureReason(row.reason) if row.reason else None,
        row.asks,
        row.first_confirmed_at,
        row.cancelling_at,
        row.settled_at,
        row.revoked_at,
    )


def values(one: Purchase) -> dict[str, object]:
    """The row of a new purchase. It counts its first command, which is sent if the debit succeeds."""
    return {
        "id": one.id,
        "user_id": one.user_id,
        "item_id": one.item_id,
        "item": json.dumps(one.item.shown()),
        "price": one.price,
        "state": one.state.value,
        "asks": 1,
        "asked_at": one.created_at,
        "created_at": one.created_at,
    }


def request(row: Row[Any]) -> RequestRecord:
    """A row of `purchase_requests`."""
    return RequestRecord(
        row.id, row.user_id, row.item_id, row.digest, RequestOutcome(row.outcome), row.purchase_id, row.at
    )


def request_values(one: RequestRecord) -> dict[str, object]:
    """The reverse."""
    return {
        "id": one.id,
        "user_id": one.user_id,
        "item_id": one.item_id,
        "digest": one.digest,
        "outcome": one.outcome.value,
        "purchase_id": one.purchase_id,
        "at": one.at,
    }


def entry(row: Row[Any]) -> LedgerEntry:
    """A row of `ledger`."""
    return LedgerEntry(row.purchase_id, row.kind, row.delta, row.points_after, row.at)


def entry_values(one: LedgerEntry) -> dict[str, object]:
    """The reverse."""
    return {
        "purchase_id": one.purchase_id,
        "kind": one.kind,
        "delta": one.delta,
        "points_after": one.points_after,
        "at": one.at,
    }
