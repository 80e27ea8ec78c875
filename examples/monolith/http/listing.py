"""Paging, order and filters of the list routes: reads the query, writes `metadata`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from examples.monolith.http.errors import UncaughtFailure, bad_request
from examples.monolith.http.querystring import Value

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
DESCENDS = {"asc": False, "desc": True}
"""Direction in lower case → descending; any other direction is a 500."""
MONGO_DESCENDS = DESCENDS | {"ascending": False, "descending": True, "1": False, "-1": True}
_LEADING_INTEGER = re.compile(r"\s*([+-]?\d{1,40})")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list route can do; None: absent from `metadata`. Filters: name → true for "contains", false for "equals".

    `arrays`: fields that must hold one of a list, `[a,b]`; absent from `metadata`.
    """

    order_keys: tuple[str, ...] | None = None
    filters: Mapping[str, bool] | None = None
    arrays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What one request asks for. `order`: key → direction as sent, None without one."""

    page: int
    limit: int
    order: Mapping[str, str | None] | None = None
    filters: Mapping[str, Any] | None = None
    matching: Mapping[str, bool] = field(default_factory=dict)
    arrays: Mapping[str, Any] = field(default_factory=dict)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    def metadata(self, count: int, total: int | None = None) -> dict[str, Any]:
        pagination = {"page": self.page, "limit": self.limit}
        metadata: dict[str, Any] = {"count": count, "pagination": pagination}
        if total is not None:
            pagination["total"] = total
        if self.order is not None:
            sent = {key: direction for key, direction in self.order.items() if direction is not None}
            metadata["order-by"] = {"keys": sent}
        if self.filters is not None:
            described = {k: {"value": v, "matching": self.matching[k]} for k, v in self.filters.items()}
            metadata["filter"] = {"keys": described}
        return metadata


def read_page(listing: Listing, query: Mapping[str, Value]) -> Page:
    """Raises HttpError when page or limit is out of range."""
    return Page(
        page=_positive(query.get("page"), default=1),
        limit=_positive(query.get("limit"), default=DEFAULT_LIMIT, largest=MAX_LIMIT),
        order=None if listing.order_keys is None else _order(listing.order_keys, query.get("order-by")),
        filters=None if listing.filters is None else {k: query[k] for k in listing.filters if k in query},
        matching=listing.filters or {},
        arrays={key: query[key] for key in listing.arrays if key in query},
    )


def _positive(value: Value | None, default: int, largest: int | None = None) -> int:
    number = _parse_int(value) or default
    if number < 0 or (largest is not None and number > largest):
        raise bad_request()
    return number


def _parse_int(value: Value | None) -> int:
    """As JavaScript's parseInt; 0 for no number; the first element of a list counts."""
    while isinstance(value, list) and value:
        value = value[0]
    match = _LEADING_INTEGER.match(value) if isinstance(value, str) else None
    return int(float(match[1])) if match else 0


def _order(allowed: tuple[str, ...], value: Value | None) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, str):
        raise UncaughtFailure("order-by is no text")
    order: dict[str, str | None] = {}
    for part in value.split(","):
        key, colon, rest = part.partition(":")
        direction = rest.partition(":")[0] if colon else None
        if direction == "null":
            order.pop(key, None)
        elif key in allowed:
            order[key] = direction
    return order


def mongo_order(page: Page) -> dict[str, bool]:
    """Key → descending. No direction means ascending; a wrong one is an uncaught error (C6)."""
    return {key: _descending(direction or "asc") for key, direction in (page.order or {}).items()}


def _descending(direction: str) -> bool:
    if direction.lower() not in MONGO_DESCENDS:
        raise UncaughtFailure(f"invalid sort value {direction!r}")
    return MONGO_DESCENDS[direction.lower()]
