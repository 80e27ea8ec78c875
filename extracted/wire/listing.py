"""Reads page, order and filters of a list from the query, as the monolith does (contract §2.6, corrections C6)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from extracted.wire.nesting import Value
from extracted.wire.query import Query, as_string
from extracted.wire.responses import Listing

Order = Mapping[str, str | None]

_WHOLE = re.compile(r"\s*([+-]?[0-9]+)")
_DIRECTIONS = {"asc": False, "desc": True}
_MONGOOSE_DIRECTIONS = _DIRECTIONS | {"ascending": False, "descending": True, "1": False, "-1": True}
_HUGE = 1e300
"""Stands for infinity: JavaScript's value for more digits than a double can hold."""
_MOST_PER_PAGE = 100
LARGEST_OFFSET = 2**63 - 1
"""The largest offset that both stores accept."""


@dataclass(frozen=True, slots=True)
class Page:
    """`page` counts from 1."""

    page: int
    limit: int

    @property
    def offset(self) -> int:
        """How many rows come before the page."""
        return (self.page - 1) * self.limit


def page(query: Query) -> Page | None:
    """None if page or limit is out of range: a 400."""
    number, limit = _whole(query.get("page"), 1), _whole(query.get("limit"), 10)
    return None if number < 0 or not 0 <= limit <= _MOST_PER_PAGE else Page(number, limit)


def order(query: Query, keys: Collection[str]) -> Order | None:
    """Key → direction as sent, in the order of the query. A direction of None: there was none.

    None if order-by is not text (repeated, or with brackets): the monolith answers 500.
    """
    text = query.get("order-by", "")
    if not isinstance(text, str):
        return None
    wanted: dict[str, str | None] = {}
    for part in text.split(",") if text else []:
        key, _, rest = part.partition(":")
        direction = rest.split(":")[0] if ":" in part else None
        if direction == "null":
            wanted.pop(key, None)
        elif key in keys:
            wanted[key] = direction
    return wanted


def descends(direction: str | None) -> bool | None:
    """How the document store sorts: ascending without a direction. None: not a direction."""
    return _MONGOOSE_DIRECTIONS.get((direction or "asc").lower())


def sql_descends(direction: str | None) -> bool | None:
    """How tables are sorted. None, which fails: no direction, or not a direction."""
    return _DIRECTIONS.get((direction or "").lower())


def filters(query: Query, keys: Collection[str]) -> dict[str, Value]:
    """Key → value of the declared keys in the query, the empty text included."""
    return {key: query[key] for key in keys if key in query}


def shown(
    page_: Page, order_: Order, wanted: Mapping[str, Value], *, matching: Collection[str] = (), total: int | None = None
) -> Listing:
    """The metadata of the list, without keys that have no direction.

    `matching`: the filters that mean contains, not equals. `total`: of all pages; None if the route does not tell it.
    """
    return Listing(
        {"page": page_.page, "limit": page_.limit} | ({} if total is None else {"total": total}),
        {key: direction for key, direction in order_.items() if direction is not None},
        {key: {"value": value, "matching": key in matching} for key, value in wanted.items()},
    )


def _whole(value: Value | None, default: int) -> int:
    """parseInt (ECMA-262 §19.2.5). 0, and text that is not a number, give the default."""
    found = _WHOLE.match("" if value is None else as_string(value))
    number = float(found[1]) if found else 0.0
    return int(min(max(number, -_HUGE), _HUGE)) or default
