"""The one call to Shop, over HTTP: no cookies, no redirects, no proxies of the environment; a connection is kept."""

import math
from collections.abc import Mapping
from urllib.parse import quote

import httpx

from extracted.account.ports import OfferUnavailable
from extracted.account.purchase import Item, Offer, canonical_uuid

CONNECTIONS = 50
KEPT_S = 60.0
"""Shorter than a service keeps an idle connection."""


class HttpOffers:
    """Implements the port Offers. The transport alone is used: a client around it would double what a call costs."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 3.0) -> None:
        limits = httpx.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEPT_S
        )
        self._transport = httpx.AsyncHTTPTransport(limits=limits)
        self._base = f"{url.rstrip('/')}/internal/offers/"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._timeouts = {"connect": 1.0, "read": timeout_s, "write": 1.0, "pool": timeout_s}

    async def find(self, user_id: str, item_id: str) -> Offer | None:
        """None: there is no such item. Raises OfferUnavailable."""
        if canonical_uuid(item_id) is None:
            return None
        target = f"{self._base}{quote(item_id, safe='')}?user={user_id}"
        try:
            status, body = await self._ask(target)
        except httpx.TimeoutException as error:
            raise OfferUnavailable(f"the shop did not answer in time ({type(error).__name__})") from error
        except httpx.TransportError as error:
            raise OfferUnavailable(f"the shop cannot be reached ({type(error).__name__})") from error
        return _offer(status, body)

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._transport.aclose()

    async def _ask(self, target: str) -> tuple[int, object]:
        """Once more where a kept connection was closed by the other side: it is a read."""
        try:
            return await self._once(target)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await self._once(target)

    async def _once(self, target: str) -> tuple[int, object]:
        request = httpx.Request("GET", target, headers=self._headers, extensions={"timeout": self._timeouts})
        response = await self._transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response.status_code, _json(response)


def _json(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def _offer(status: int, body: object) -> Offer | None:
    if not isinstance(body, Mapping):
        raise OfferUnavailable(f"the shop answered {status}, and no JSON object")
    if status == 404 and "error" in body and "statusCode" not in body:  # a route that is not there answers otherwise
        return None
    if status != 200:
        raise OfferUnavailable(f"the shop answered {status}")
    return Offer(_item(body.get("item")), _text_or_none(body.get("transactionId")))


def _item(item: object) -> Item:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        raise OfferUnavailable("the shop's item has no id")
    cost, data = item.get("cost"), item.get("data")
    if cost is not None and not _is_number(cost):
        raise OfferUnavailable("the shop's item has a cost that is no number")
    if data is not None and not isinstance(data, Mapping):
        raise OfferUnavailable("the shop's item has data that are no object")
    return Item(item["id"], cost, _text_or_none(item.get("type")), data)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise OfferUnavailable("the shop's answer has a value that is no text")
    return value
