"""The one call to Shop over HTTP: without cookies, redirects or proxies; connections are persistent."""

import json
import math
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from chassis.auth.service_credentials import CredentialUnavailable, ServiceCredential
from chassis.batcher import Batcher
from chassis.uuid_text import canonical_uuid
from extracted.account.purchases.domain.purchase import Item, Offer
from extracted.account.purchases.ports import OfferUnavailable
from extracted.account.purchases.shop_connections import ShopConnections, UnexpectedAnswer

MAX_TOGETHER = 50


class ShopUnreachable(OfferUnavailable):
    """No answer, whatever is asked."""


class HttpOffers:
    """Implements the port Offers; questions of one moment are one call. `timeout_s` limits the whole call."""

    def __init__(self, url: str, credential: ServiceCredential, *, timeout_s: float = 3.0) -> None:
        self._connections = ShopConnections(url)
        self._credential = credential
        self._base = urlsplit(url).path.rstrip("/")
        self._timeout_s = timeout_s
        self._questions = Batcher(self._find_all, most=MAX_TOGETHER, common=(ShopUnreachable,))

    async def find(self, user_id: str, item_id: str) -> Offer | None:
        """None: there is no such item. Raises OfferUnavailable."""
        if canonical_uuid(item_id) is None:
            return None
        return await self._questions.answer((user_id, item_id))

    async def _find_all(self, asked: Sequence[tuple[str, str]]) -> Sequence[Offer | None]:
        pairs = urlencode([pair for user, item in asked for pair in (("user", user), ("item", item))])
        status, body = await self._authorized(f"{self._base}/internal/offers?{pairs}")
        return _offers(status, _json(body), len(asked))

    async def ping(self) -> None:
        """Returns if Shop is ready. Raises OfferUnavailable."""
        status, _ = await self._get(f"{self._base}/health/ready")
        if status != 200:
            raise OfferUnavailable(f"the shop is not ready ({status})")

    async def _authorized(self, target: str) -> tuple[int, bytes]:
        """Once more with another credential if the shop does not take the first."""
        try:
            authorization = await self._credential.authorization()
            status, body = await self._get(target, authorization)
            if status == 401 and self._credential.refused(authorization):
                status, body = await self._get(target, await self._credential.authorization())
        except CredentialUnavailable as error:
            raise ShopUnreachable(str(error)) from error
        return status, body

    async def _get(self, target: str, authorization: str | None = None) -> tuple[int, bytes]:
        try:
            return await self._connections.get(target, self._timeout_s, authorization)
        except TimeoutError as error:
            raise ShopUnreachable("the shop did not answer in time") from error
        except (OSError, EOFError, UnexpectedAnswer) as error:
            raise ShopUnreachable(f"the shop cannot be reached ({type(error).__name__})") from error

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._connections.aclose()
        await self._credential.aclose()


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _offers(status: int, body: object, asked: int) -> list[Offer | None]:
    if status != 200:
        raise OfferUnavailable(f"the shop answered {status}")
    if not isinstance(body, list) or len(body) != asked:
        raise OfferUnavailable(f"the shop's answer is not a list of {asked} offers")
    return [None if one is None else _offer(one) for one in body]


def _offer(body: object) -> Offer:
    if not isinstance(body, Mapping):
        raise OfferUnavailable("the shop's offer is not a JSON object")
    return Offer(_item(body.get("item")), _text_or_none(body.get("transactionId")))


def _item(item: object) -> Item:
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        raise OfferUnavailable("the shop's item has no id")
    cost, data = item.get("cost"), item.get("data")
    if cost is not None and not _is_number(cost):
        raise OfferUnavailable("the shop's item has a cost that is not a number")
    if data is not None and not isinstance(data, Mapping):
        raise OfferUnavailable("the shop's item has data that are not an object")
    return Item(item["id"], cost, _text_or_none(item.get("type")), data)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise OfferUnavailable("the shop's answer has a value that is not a text")
    return value
