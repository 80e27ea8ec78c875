"""Values from rows, and back."""

import json
from typing import Any

from sqlalchemy import Row

from extracted.account.purchases.domain.purchase import Entry, Item, Outcome, Purchase, Reason, Request
from extracted.account.purchases.domain.saga import State


def purchase(row: Row[Any]) -> Purchase:
    """A row of `purchases`."""
    return Purchase(
        row.id,
        row.user_id,
        row.item_id,
        Item(**json.loads(row.item)),
        row.price,
        State(row.state),
        row.created_at,
        Reason(row.reason) if row.reason else None,
        row.asks,
        row.first_confirmed_at,
        row.cancelling_at,
        row.settled_at,
        row.revoked_at,
    )


def values(one: Purchase) -> dict[str, object]:
    """Of a purchase that is opened: it has asked Shop once as soon as it is paid."""
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


def request(row: Row[Any]) -> Request:
    """A row of `purchase_requests`."""
    return Request(row.id, row.user_id, row.item_id, row.digest, Outcome(row.outcome), row.purchase_id, row.at)


def request_values(one: Request) -> dict[str, object]:
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


def entry(row: Row[Any]) -> Entry:
    """A row of `ledger`."""
    return Entry(row.purchase_id, row.kind, row.delta, row.points_after, row.at)


def entry_values(one: Entry) -> dict[str, object]:
    """The reverse."""
    return {
        "purchase_id": one.purchase_id,
        "kind": one.kind,
        "delta": one.delta,
        "points_after": one.points_after,
        "at": one.at,
    }
