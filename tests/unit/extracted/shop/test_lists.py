"""Paging, order and filter of GET /item: what is asked for, what is told about it, what comes."""

import json
import uuid
from urllib.parse import quote

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import RunningShop

ADMIN = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("admin",))
COSTS = (10, 0, 100000, 1.5, 10)


@pytest.fixture(scope="module")
def kind(monolith: MonolithFile) -> str:
    """A type that only these items have; their costs in the order in which they were added."""
    kind = f"kind-{uuid.uuid4()}"
    for index, cost in enumerate(COSTS):
        monolith.add_item(cost=cost, type=kind, data={"text": str(index)})
    return kind


def listed(shop: RunningShop, query: str) -> tuple[dict[str, object], list[str]]:
    """Metadata, and the texts of the items."""
    answer = shop.ask(f"/item?{query}", ADMIN)
    assert answer.status == 200, (query, answer.body)
    body = json.loads(answer.body)
    return body["metadata"], [item["data"]["text"] for item in body["data"]]


def test_metadata_tell_count_page_order_and_filter_in_this_order(shop: RunningShop, kind: str) -> None:
    answer = shop.ask(f"/item?type={kind}&order-by=cost:desc&limit=2&page=2", ADMIN)
    metadata = (
        '{"metadata":{"count":2,"pagination":{"page":2,"limit":2},"order-by":{"keys":{"cost":"desc"}},'
        f'"filter":{{"keys":{{"type":{{"value":"{kind}","matching":false}}}}}}}},"data":['
    )
    assert answer.body.startswith(metadata.encode())


def test_without_wishes_everything_is_told_all_the_same(shop: RunningShop, kind: str) -> None:
    metadata, _ = listed(shop, "")
    assert metadata["pagination"] == {"page": 1, "limit": 10}
    assert (metadata["order-by"], metadata["filter"]) == ({"keys": {}}, {"keys": {}})


@pytest.mark.parametrize(
    ("order", "told", "items"),
    [
        ("", {}, "01234"),
        ("cost:asc", {"cost": "asc"}, "13042"),
        ("cost:desc", {"cost": "desc"}, "20431"),
        ("cost:DESC", {"cost": "DESC"}, "20431"),
        ("cost:-1", {"cost": "-1"}, "20431"),
        ("cost:Ascending", {"cost": "Ascending"}, "13042"),
        ("cost", {}, "13042"),
        ("cost:", {"cost": ""}, "13042"),
        ("cost:desc:asc", {"cost": "desc"}, "20431"),
        ("cost:null", {}, "01234"),
        ("cost:desc,cost:null", {}, "01234"),
        ("cost:asc,cost:desc", {"cost": "desc"}, "20431"),
        ("name:asc,cost:desc,data:desc", {"cost": "desc"}, "20431"),
        ("Cost:desc", {}, "01234"),
        (",", {}, "01234"),
    ],
)
def test_order(shop: RunningShop, kind: str, order: str, told: dict[str, str], items: str) -> None:
    metadata, found = listed(shop, f"type={kind}&order-by={quote(order)}")
    assert (metadata["order-by"], "".join(found)) == ({"keys": told}, items)


@pytest.mark.parametrize("direction", ["sideways", "0", "%20asc", "desc%20nulls%20last"])
def test_a_direction_that_is_none_is_500(shop: RunningShop, direction: str) -> None:
    answer = shop.ask(f"/item?order-by=cost:{direction}", ADMIN)
    assert (answer.status, answer.body) == (500, b'{"statusCode":500,"message":"Internal server error"}')


@pytest.mark.parametrize(
    ("query", "page", "limit", "items"),
    [
        ("limit=2", 1, 2, "01"),
        ("limit=2&page=2", 2, 2, "23"),
        ("limit=2&page=3", 3, 2, "4"),
        ("limit=2&page=4", 4, 2, ""),
        ("limit=100", 1, 100, "01234"),
        ("page=0&limit=0", 1, 10, "01234"),
        ("page=abc&limit=", 1, 10, "01234"),
        ("page=1e3", 1, 10, "01234"),
        ("limit=1.9", 1, 1, "0"),
        (f"limit={'0' * 5000}2", 1, 2, "01"),
        ("limit=%202", 1, 2, "01"),
        ("limit=+2", 1, 2, "01"),
        ("limit=%2B2", 1, 2, "01"),
        ("limit=1&limit=2", 1, 1, "0"),
        ("limit[]=2", 1, 2, "01"),
        ("limit[a]=2", 1, 10, "01234"),
        ("Limit=2&offset=2", 1, 10, "01234"),
        ("page=1000000000000", 1000000000000, 10, ""),
    ],
)
def test_paging(shop: RunningShop, kind: str, query: str, page: int, limit: int, items: str) -> None:
    metadata, found = listed(shop, f"type={kind}&{query}")
    assert (metadata["pagination"], metadata["count"]) == ({"page": page, "limit": limit}, len(items))
    assert "".join(found) == items


@pytest.mark.parametrize("page", [str(10**20), "9" * 5000])
def test_a_page_further_than_the_store_counts_is_500(shop: RunningShop, page: str) -> None:
    answer = shop.ask(f"/item?page={page}", ADMIN)
    assert (answer.status, answer.body) == (500, b'{"statusCode":500,"message":"Internal server error"}')
    assert "unexpected_error" not in {line["event"] for line in shop.logged()}


def test_a_filter_means_equality(shop: RunningShop, kind: str) -> None:
    for value in (kind.upper(), kind[:-1], f"{kind} ", "%25", ".*", ""):
        metadata, found = listed(shop, f"type={quote(value)}")
        assert (metadata["filter"], found) == ({"keys": {"type": {"value": value, "matching": False}}}, [])


def test_a_filter_that_came_twice_takes_either(shop: RunningShop, kind: str, monolith: MonolithFile) -> None:
    other = f"kind-{uuid.uuid4()}"
    monolith.add_item(type=other, data={"text": "other"})
    metadata, found = listed(shop, f"type={kind}&type={other}&limit=100")
    assert found == [*"01234", "other"]
    assert metadata["filter"] == {"keys": {"type": {"value": [kind, other], "matching": False}}}


def test_parameters_that_nobody_knows_are_ignored(shop: RunningShop, kind: str) -> None:
    metadata, found = listed(shop, f"type={kind}&name=x&sort=date&cost=1&__proto__=1&%zz=%zz&=&&[")
    assert (metadata["count"], found) == (5, [*"01234"])
