"""The routes that tell who has bought what: GET /item/bought/{id} and GET /transactions."""

import json
from datetime import UTC, datetime

import pytest

from chassis.auth.claims import NOBODY
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import (
    ADMIN,
    BAD_REQUEST,
    NOT_FOUND,
    REJECTED,
    STORE_FAILED,
    UNKNOWN,
    RunningShop,
    data,
    told,
    user,
)  # fmt: skip


def test_a_bought_item_shows_its_data_to_its_buyer_alone(shop: RunningShop, monolith: MonolithFile) -> None:
    item, buyer, other = monolith.add_item(), monolith.add_user(), monolith.add_user()
    monolith.add_purchase(buyer, item)
    seen = [data(shop.ask(f"/item/bought/{item}", user("guest", subject=who))) for who in (buyer, other)]
    shown = {"id": item, "cost": 10, "type": "hint"}
    assert seen == [shown | {"data": {"text": "a hint"}}, shown | {"data": None}]
    assert data(shop.ask(f"/item/bought/{item}", ADMIN))["data"] is None


def test_a_deleted_purchase_no_longer_counts(shop: RunningShop, monolith: MonolithFile) -> None:
    item, buyer = monolith.add_item(), monolith.add_user()
    monolith.add_purchase(buyer, item, deleted_at=datetime.now(UTC))
    assert data(shop.ask(f"/item/bought/{item}", user(subject=buyer)))["data"] is None


def test_who_has_no_credential_is_refused_before_the_id(shop: RunningShop) -> None:
    assert [shop.ask("/item/bought/abc", who).status for who in (NOBODY, REJECTED)] == [401, 403]


@pytest.mark.parametrize(
    "item", ["abc", "%00", "@me", UNKNOWN[:-1], UNKNOWN + "0", "{" + UNKNOWN, UNKNOWN.replace("0", "g")]
)
def test_a_bought_item_whose_id_postgresql_refuses_is_500(shop: RunningShop, item: str) -> None:
    assert told(shop.ask(f"/item/bought/{item}", ADMIN)) == STORE_FAILED


def test_other_spellings_of_an_id_are_ids_of_nothing(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item("abcdefab-cdef-4abc-8def-abcdefabcdef")
    for spelling in (item.upper(), f"%7B{item}%7D", item.replace("-", "")):
        assert told(shop.ask(f"/item/bought/{spelling}", ADMIN)) == NOT_FOUND


@pytest.fixture(scope="module")
def rows(own_file: MonolithFile) -> list[dict[str, str]]:
    """Five transactions as they are shown, in the order in which they were made; a sixth was deleted."""
    found = []
    for _ in range(5):
        item, buyer = own_file.add_item(), own_file.add_user()
        found.append({"id": own_file.add_purchase(buyer, item), "userId": buyer, "objectId": item})
    own_file.add_purchase(own_file.add_user(), own_file.add_item(), deleted_at=datetime.now(UTC))
    return found


def test_metadata_tell_count_page_and_the_total_of_all_pages(own_shop: RunningShop, rows: list[dict[str, str]]) -> None:
    answer = own_shop.ask("/transactions?limit=2&page=3", ADMIN)
    (last,) = rows[4:]
    metadata = '{"metadata":{"count":1,"pagination":{"page":3,"limit":2,"total":5}},"data":'
    shown = f'[{{"id":"{last["id"]}","userId":"{last["userId"]}","objectId":"{last["objectId"]}"}}]}}'
    assert answer.body.decode() == metadata + shown


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
