"""What Account asks the shop before it charges: one by one or together, with the credential that only Account has."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chassis.settings import SettingsInvalid, load
from extracted.shop.domain import Item, Offer
from extracted.shop.service import Shop
from extracted.shop.settings import Settings
from legacy_adapter.shop.items import LegacyItems
from legacy_adapter.shop.transactions import LegacyPurchases
from legacy_adapter.stores import opened
from tests.support.monolith.monolith_file import MonolithData, MonolithFile
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.shop.running import (
    INTERNAL_TOKEN,
    OPERATOR_TOKEN,
    UNKNOWN,
    Answer,
    Gateway,
    RunningShop,
    ask,
    bearer,
    running_shop,
    user,
)  # fmt: skip


def offer(shop: RunningShop, item: str, user: str, token: str = INTERNAL_TOKEN) -> Answer:
    return ask(shop.port, f"/internal/offers/{item}?user={user}", "GET", bearer(token))


def told(answer: Answer) -> tuple[int, Any]:
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    "fields",
    [{"cost": 2.5, "type": "validator", "data": {"text": "é ✓"}}, {"cost": None, "type": None}, {"data": None},
     {"cost": 1e21}],
)  # fmt: skip
def test_an_item_is_told_as_it_is_kept(seller: RunningShop, monolith: MonolithFile, fields: dict[str, Any]) -> None:
    item = monolith.add_item(more=1, **fields)
    kept = {"id": item, "cost": 10, "type": "hint", "data": {"text": "a hint"}} | fields
    assert told(offer(seller, item, monolith.add_user())) == (200, {"item": kept, "transactionId": None})


def test_what_the_user_has_bought_is_told_by_its_row_whoever_wrote_it(
    seller: RunningShop, monolith: MonolithFile
) -> None:
    item, user = monolith.add_item(), monolith.add_user()
    monolith.add_purchase(user, item, deleted_at=datetime.now(UTC))
    monolith.add_purchase(monolith.add_user(), item)
    monolith.add_purchase(user, monolith.add_item())
    assert told(offer(seller, item, user))[1]["transactionId"] is None
    row = monolith.add_purchase(user, item)
    assert told(offer(seller, item, user))[1]["transactionId"] == row
    monolith.add_purchase(user, item)  # the monolith's race leaves two
    assert offer(seller, item, user).status == 200


@pytest.mark.parametrize("item", [UNKNOWN, "abc", "%00", "'%20OR%201=1", "..", "x" * 5000, "ABCDEFAB" + UNKNOWN[8:]])
def test_an_item_that_is_unknown_or_no_id_is_404(seller: RunningShop, monolith: MonolithFile, item: str) -> None:
    if item.startswith("ABC") and monolith.item(item.lower()) is None:
        monolith.add_item(item.lower())  # ids are compared as spelled
    assert told(offer(seller, item, monolith.add_user())) == (404, {"error": "there is no such item"})


@pytest.mark.parametrize("path", ["", f"offers/{UNKNOWN}/", "offers/a%2fb", "offers/"])
def test_a_path_with_more_or_less_in_it_is_no_missing_item(seller: RunningShop, path: str) -> None:
    answer = ask(seller.port, f"/internal/{path}", "GET", bearer(INTERNAL_TOKEN))
    message = f"Cannot GET /internal/{path}"
    assert told(answer) == (404, {"statusCode": 404, "message": message, "error": "Not Found"})


@pytest.mark.parametrize("query", ["", "?user=", "?user=me", "?USER=" + UNKNOWN])
def test_without_a_user_there_is_no_offer(seller: RunningShop, monolith: MonolithFile, query: str) -> None:
    answer = ask(seller.port, f"/internal/offers/{monolith.add_item()}{query}", "GET", bearer(INTERNAL_TOKEN))
    assert told(answer) == (400, {"error": "user is missing or not a UUID"})


@pytest.mark.parametrize(
    "fields",
    [{}, bearer(OPERATOR_TOKEN), bearer(INTERNAL_TOKEN[:-1]), bearer(INTERNAL_TOKEN + "x"), bearer(""),
     {"Authorization": INTERNAL_TOKEN}, {"Authorization": f"Basic {INTERNAL_TOKEN}"}, {"Authorization": "Bearer é"}],
)  # fmt: skip
def test_another_credential_opens_nothing_and_is_not_logged(
    seller: RunningShop, monolith: MonolithFile, fields: dict[str, str]
) -> None:
    path = f"/internal/offers/{monolith.add_item()}?user={monolith.add_user()}"
    assert told(ask(seller.port, path, "GET", fields)) == (401, {"error": "the credential is missing or wrong"})
    assert INTERNAL_TOKEN not in seller.log.read_text()


def test_the_gateways_token_opens_nothing_and_there_is_nothing_but_to_ask(seller: RunningShop) -> None:
    path = f"/internal/offers/{UNKNOWN}?user={UNKNOWN}"
    assert seller.ask(path, user("admin")).status == 401
    assert ask(seller.port, path, "POST", bearer(INTERNAL_TOKEN)).status == 405


def test_without_a_credential_in_the_settings_there_is_no_such_route(shop: RunningShop, monolith: MonolithFile) -> None:
    answer = offer(shop, monolith.add_item(), monolith.add_user())
    assert (answer.status, b"Cannot GET" in answer.body) == (404, True)


@pytest.mark.walk
def test_offers_need_no_broker_and_a_store_that_is_away_is_503(
    gateway: Gateway, monolith: MonolithFile, tmp_path: Path
) -> None:
    with running_shop(monolith.url, gateway, INTERNAL_TOKEN=INTERNAL_TOKEN) as shop:
        assert offer(shop, monolith.add_item(), monolith.add_user()).status == 200
    with running_shop(f"sqlite:///{tmp_path / 'none.sqlite3'}", gateway, INTERNAL_TOKEN=INTERNAL_TOKEN) as shop:
        assert told(offer(shop, UNKNOWN, UNKNOWN)) == (503, {"error": "the store is not reachable"})


def test_a_credential_that_is_easily_guessed_is_refused() -> None:
    weak = {"internal_token": SecretStr("x" * 15), "operator_token": SecretStr("x")}
    with pytest.raises(SettingsInvalid) as refused:
        load(Settings, database_url=SecretStr("x"), jwks_url="http://127.0.0.1:1/jwks.json", **weak)
    faults = {line.partition(":")[0] for line in str(refused.value).splitlines()}
    assert faults == {"SHOP_INTERNAL_TOKEN", "SHOP_OPERATOR_TOKEN"}


@pytest.fixture(params=EVERYWHERE)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[MonolithData, Shop]]:
    data = MonolithData(request.param(tmp_path))
    found = opened(data.url, data.documents_url)
    yield data, Shop(LegacyItems(found.documents), LegacyPurchases(found.database))
    await found.aclose()
    data.close()


async def test_asked_together_each_is_told_of_its_own_item_and_its_own_purchase(
    stores: tuple[MonolithData, Shop],
) -> None:
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
    assert await shop.offers([]) == []


def together(shop: RunningShop, *pairs: tuple[str, str]) -> Answer:
    asked = "&".join(f"user={user}&item={item}" for user, item in pairs)
    return ask(shop.port, f"/internal/offers?{asked}", "GET", bearer(INTERNAL_TOKEN))


def test_several_are_told_at_once_in_the_order_of_the_questions(seller: RunningShop, monolith: MonolithFile) -> None:
    users, items = [monolith.add_user() for _ in range(4)], [monolith.add_item(cost=cost) for cost in range(5)]
    rows = {(users[0], item): monolith.add_purchase(users[0], item) for item in items[:2]}
    pairs = [(user, item) for user in users for item in (*items, UNKNOWN)]
    status, body = told(together(seller, *pairs, *pairs))
    assert status == 200
    assert [one and (one["item"]["id"], one["transactionId"]) for one in body] == 2 * [
        None if pair[1] == UNKNOWN else (pair[1], rows.get(pair)) for pair in pairs
    ]


@pytest.mark.parametrize("pairs", [[], [("me", UNKNOWN)], [(UNKNOWN, UNKNOWN + "&item=x")], [(UNKNOWN, UNKNOWN)] * 101])
def test_questions_that_are_no_pairs_or_too_many_are_refused(seller: RunningShop, pairs: list[tuple[str, str]]) -> None:
    assert together(seller, *pairs).status == 400
