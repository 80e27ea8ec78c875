"""Lists of documents: the page that a request asks for, and the metadata that repeat it (contract §2.6)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from extracted.learning.domain import ListQuery, Unexpected, ValueRefused
from extracted.wire import listing
from extracted.wire.listing import Order
from extracted.wire.nesting import Value
from extracted.wire.query import Query
from extracted.wire.responses import Listing


@dataclass(frozen=True, slots=True)
class ListRules:
    """What a list accepts. `filters`: key → true if it is a regular expression, false if it is the whole text.

    `tags`: whether it accepts `tags=[a,b]`.
    """

    order_keys: Collection[str]
    filters: Mapping[str, bool]
    tags: bool = False


def asked(rules: ListRules, query: Query) -> tuple[ListQuery, Listing] | None:
    """What to select, and the metadata. None: page or limit is out of range. Raises Unexpected, ValueRefused."""
    page = listing.page(query)
    if page is None:
        return None
    order, wanted = listing.order(query, rules.order_keys), listing.filters(query, rules.filters)
    if order is None or page.offset > listing.LARGEST_OFFSET:
        raise Unexpected("order-by is not a text, or the page number is too large")
    descending = _descending(order)
    tags = _tags(query["tags"]) if rules.tags and "tags" in query else None
    matching = {key: _text(value) for key, value in wanted.items() if rules.filters[key]}
    equal = {key: _texts(value) for key, value in wanted.items() if not rules.filters[key]}
    metadata = listing.shown(page, order, wanted, matching=matching)
    return ListQuery(page.offset, page.limit, matching, equal, tags, descending), metadata


def _descending(order: Order) -> dict[str, bool]:
    descending = {key: listing.descends(direction) for key, direction in order.items()}
    if None in descending.values():
        raise Unexpected("order-by has an unknown direction")
    return {key: bool(down) for key, down in descending.items()}


def _tags(value: Value) -> list[str]:
    """As the monolith: first and last character are dropped unseen."""
    if not isinstance(value, str):
        raise Unexpected("tags is not a text")
    return value[1:-1].split(",")


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueRefused("a filter is not a text")
    return value


def _texts(value: Value) -> list[str]:
    return [_text(item) for item in (value if isinstance(value, list) else [value])]
