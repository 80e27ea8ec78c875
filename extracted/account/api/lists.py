"""Lists on tables: the page that the client asks for, and the metadata that repeat what it asked."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from extracted.account.domain import ListPage, PageQuery, ValueRefused
from extracted.wire import listing, responses
from extracted.wire.application import ApiRequest
from extracted.wire.listing import Order, Page
from extracted.wire.nesting import Value
from extracted.wire.query import as_string
from extracted.wire.responses import ApiResponse

T = TypeVar("T")


async def listed(
    call: ApiRequest,
    select: Callable[[PageQuery], Awaitable[ListPage[T]]],
    shown: Callable[[T], object],
    *,
    order_keys: Collection[str],
    filter_key: str,
) -> ApiResponse:
    """Answers with the page's values as `shown` shows them, and the total. Raises ValueRefused."""
    page = listing.page(call.query)
    if page is None:
        return responses.BAD_REQUEST
    order, wanted = listing.order(call.query, order_keys), listing.filters(call.query, (filter_key,))
    if order is None:
        return responses.UNEXPECTED
    found = await select(_query(page, order, wanted))
    told = listing.shown(page, order, wanted, matching=(filter_key,), total=found.total)
    return responses.many([shown(value) for value in found.values], told)


def _query(page: Page, order: Order, wanted: Mapping[str, Value]) -> PageQuery:
    if page.offset > listing.LARGEST_OFFSET:
        raise ValueRefused("the page number is too large for the database")
    containing = {key: as_string(value) for key, value in wanted.items()}
    return PageQuery(page.offset, page.limit, containing, {key: _descends(word) for key, word in order.items()})


def _descends(direction: str | None) -> bool:
    descends = listing.sql_descends(direction)
    if descends is None:
        raise ValueRefused("the direction of order-by is unknown to SQL")
    return descends
