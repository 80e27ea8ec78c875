"""The routes that tell who has bought what: GET /item/bought/{id} and GET /transactions."""

import json
import uuid
from datetime import UTC, datetime

import pytest

from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import ADMIN, BAD_REQUEST, STORE_FAILED, RunningShop, data, told, user


def test_a_bought_item_shows_its_data_to_its_buyer_alone_while_the_purchase_counts(
    shop: RunningShop, monolith: MonolithFile
) -> None:
    item, buyer, other, removed = monolith.add_item(), *(monolith.add_user() for _ in range(3))
    monolith.add_purchase(buyer, item)
    monolith.add_purchase(removed, item, deleted_at=datetime.now(UTC))
    askers = (user("guest", subject=buyer), user("guest", subject=other), user(subject=removed), ADMIN)
    shown = {"id": item, "cost": 10, "type": "hint"}
    assert [data(shop.ask(f"/item/bought/{item}", who)) for who in askers] == [
        shown | {"data": {"text": "a hint"}}, *[shown | {"data": None}] * 3
    ]  # fmt: skip


def test_own_items_come_once_each_the_latest_purchase_first(shop: RunningShop, monolith: MonolithFile) -> None:
    buyer, other = monolith.add_user(), monolith.add_user()
    items = [monolith.add_item() for _ in range(4)]
    for days, item in enumerate([*items[:3], items[0]]):
        monolith.add_purchase(buyer, item, created_at=datetime(2026, 11, 1 + days, tzinfo=UTC))
    monolith.add_purchase(other, items[3])
    monolith.add_purchase(buyer, items[3], deleted_at=datetime.now(UTC))
    removed = str(uuid.uuid4())
    monolith.add_purchase(buyer, removed, created_at=datetime(2026, 10, 1, tzinfo=UTC))
    body = json.loads(shop.ask("/me/items", user("guest", subject=buyer)).body)
    assert [item["id"] for item in body["data"]] == [items[0], items[2], items[1]]
    assert all(item["data"] == {"text": "a hint"} for item in body["data"])
    assert body["metadata"] == {"count": 3, "pagination": {"page": 1, "limit": 10, "total": 4}}
    second = json.loads(shop.ask("/me/items?page=2&limit=2", user(subject=buyer)).body)
    assert [item["id"] for item in second["data"]] == [items[1]]
    assert json.loads(shop.ask("/me/items", user(subject=monolith.add_user())).body)["data"] == []


@pytest.mark.parametrize("query", ["limit=101", "page=-1", f"page={10**20}"])
def test_a_page_of_own_items_out_of_range_is_refused(shop: RunningShop, monolith: MonolithFile, query: str) -> None:
    assert told(shop.ask(f"/me/items?{query}", user(subject=monolith.add_user()))) == BAD_REQUEST


@pytest.fixture(scope="module")
def rows(own_file: MonolithFile) -> list[dict[str, str]]:
    """Five transactions as they are shown, in the order in which they were made; a sixth was deleted."""
    found = []
    for _ in range(5):
        item, buyer = own_file.add_item(), own_file.add_user()
        found.append({"id": own_file.add_purchase(buyer, item), "userId": buyer, "objectId": item})
    own_file.add_purchase(own_file.add_user(), own_file.add_item(), deleted_at=datetime.now(UTC))
    return found


@pytest.mark.parametrize("query", ["", "?order-by=id:desc", "?order-by[]=x", "?userId=x", "?id[a]=b"])
def test_all_that_are_not_deleted_come_in_the_order_of_their_making_whatever_is_asked(
    own_shop: RunningShop, rows: list[dict[str, str]], query: str
) -> None:
    body = json.loads(own_shop.ask(f"/transactions{query}", ADMIN).body)
    assert body == {"metadata": {"count": 5, "pagination": {"page": 1, "limit": 10, "total": 5}}, "data": rows}


@pytest.mark.parametrize(
    ("query", "answer"),
    [("limit=101", BAD_REQUEST), ("limit=-1", BAD_REQUEST), ("page=-1", BAD_REQUEST), (f"page={10**20}", STORE_FAILED)],
)
def test_a_page_out_of_range_is_refused(own_shop: RunningShop, query: str, answer: tuple[int, bytes]) -> None:
    assert told(own_shop.ask(f"/transactions?{query}", ADMIN)) == answer
    assert "unexpected_error" not in {line["event"] for line in own_shop.logged()}
