"""The first page: what people see of the groups, and of the journal."""

from typing import Any

from strangler_gateway.admin import views
from strangler_gateway.migration.migration import Migration
from strangler_gateway.page import texts

View = dict[str, Any]


def shown(one: View) -> View:
    """What people see of a row: numbers that look the same are the same."""
    new, legacy = one["failed_new"], one["failed_legacy"]
    return {
        **{key: one[key] for key in ("name", "routes", "moves", "state", "held")},
        "users": f"{one['share']:g} %" if one["share"] is not None else "",
        "per_second": texts.rate(one["per_second"]),
        "bar": round(one["new_part"] or 0, 2),
        "new_part": texts.part(one["new_part"]),
        "failed_new": texts.part(new),
        "failed_legacy": texts.part(legacy),
        "bad": bool(new and new > (legacy or 0)),
        "moved_at": texts.moment(one["moved_at"]),
    }


def is_wanted(one: View, q: str, state: str) -> bool:
    """Whether a row passes the filter: a part of the name, and a state or `held`; empty takes all."""
    if q and q.lower() not in one["name"].lower():
        return False
    return (one["held"] is not None) if state == "held" else not state or one["state"] == state


def journal(migration: Migration, limit: int, unit: str | None = None) -> list[View]:
    """The latest entries, the newest first."""
    return [views.journal_entry(entry) for entry in reversed(migration.log(limit, unit))]
