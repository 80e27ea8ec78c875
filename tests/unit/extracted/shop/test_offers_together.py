"""Offers that are asked together: each as if it had been asked alone, on each kind of stores."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extracted.shop.domain import Item, Offer
from extracted.shop.service import Shop
from legacy_adapter.shop.items import LegacyItems
from legacy_adapter.shop.transactions import LegacyPurchases
from legacy_adapter.stores import opened
from tests.support.monolith_file import MonolithData, MonolithFile
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.shop.running import INTERNAL_TOKEN, RunningShop, ask, bearer


@pytest.fixture(params=EVERYWHERE)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[MonolithData, Shop]]:
    data = MonolithData(request.param(tmp_path))
    found = opened(data.url, data.documents_url)
    yield data, Shop(LegacyItems(found.documents), LegacyPurchases(found.database))
    await found.aclose()
    data.close()


async def test_each_is_told_of_its_own_item_and_its_own_purchase(stores: tuple[MonolithData, Shop]) -> None:
    data, shop = stores
    ada, bob = data.add_user(), data.add_user()
    hint, answer = data.add_item(cost=3), data.add_item(cost=0.5, type="answer", data=None)
    row = data.add_purchase(ada, hint)
    data.add_purchase(ada, answer, deleted_at=datetime.now(UTC))
    shown = {hint: Item(hint, 3, "hint", {"text": "a hint"}), answer: Item(answer, 0.5, "answer", None)}
    wanted = {
        (ada, hint): Offer(shown[hint], row),
        (ada, answer): Offer(shown[answer], None),
        (bob, hint): Offer(shown[hint], None),
        (bob, str(uuid.uuid4())): None,
        (bob, hint.upper()): None,
        (bob, "odd"): None,
    }
    assert await shop.offers([*wanted, *wanted]) == [*wanted.values()] * 2
    assert await asyncio.gather(*(shop.offers([one]) for one in wanted)) == [[offer] for offer in wanted.values()]


async def test_where_nothing_can_be_offered_nobody_is_asked(stores: tuple[MonolithData, Shop]) -> None:
    data, shop = stores
    assert await shop.offers([]) == []
    assert await shop.offers([(data.add_user(), "odd")]) == [None]


def test_many_at_once_over_http_are_each_answered_alike(seller: RunningShop, monolith: MonolithFile) -> None:
    users, items = [monolith.add_user() for _ in range(4)], [monolith.add_item(cost=cost) for cost in range(5)]
    rows = {(users[0], item): monolith.add_purchase(users[0], item) for item in items[:2]}
    pairs = [(user, item) for user in users for item in items]

    def told(pair: tuple[str, str]) -> tuple[int, object]:
        answer = ask(seller.port, f"/internal/offers/{pair[1]}?user={pair[0]}", "GET", bearer(INTERNAL_TOKEN))
        body = json.loads(answer.body)
        return body["item"]["cost"], body["transactionId"]

    with ThreadPoolExecutor(len(pairs)) as pool:
        answers = [*pool.map(told, pairs)]
    assert answers == [(items.index(item), rows.get((user, item))) for user, item in pairs]


def test_a_document_that_is_no_item_spoils_no_other_offer(seller: RunningShop, monolith: MonolithFile) -> None:
    user, items, broken = monolith.add_user(), [monolith.add_item() for _ in range(6)], str(uuid.uuid4())
    monolith._items.insert({"_id": {"$oid": "0" * 24}, "id": broken, "__v": 0})

    def status(item: str) -> int:
        return ask(seller.port, f"/internal/offers/{item}?user={user}", "GET", bearer(INTERNAL_TOKEN)).status

    with ThreadPoolExecutor(7) as pool:
        statuses = [*pool.map(status, [*items[:3], broken, *items[3:]])]
    monolith.remove_item(broken)
    assert statuses == [200] * 3 + [500] + [200] * 3
