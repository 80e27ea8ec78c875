"""What operators of the shop look at and do: over a socket, with their own credential."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.database.database import Database
from extracted.shop.domain import Quantity
from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.shop.commands import cancel, decrease
from tests.unit.extracted.shop.running import (
    INTERNAL_TOKEN,
    OPERATOR_TOKEN,
    Answer,
    Gateway,
    RunningShop,
    ask,
    bearer,
    running_seller,
    running_shop,
)  # fmt: skip
from tests.unit.extracted.shop.selling import Selling, assembled

pytestmark = pytest.mark.walk

PAGES = ("transactions", "decisions", "stock")


@pytest.fixture(scope="module")
def operated(
    own_file: MonolithFile, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningShop]:
    with running_seller(own_file.url, gateway, tmp_path_factory.mktemp("broker")) as running:
        yield running


def operate(shop: RunningShop, target: str, body: object = None, token: str = OPERATOR_TOKEN) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    return ask(shop.port, f"/internal/{target}", "GET" if content is None else "POST", bearer(token), content)


def told(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def all_pages(shop: RunningShop, what: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = told(operate(shop, f"{what}?limit={limit}{after}"))
        found += page["rows"]
        if page["next"] is None:
            return found
        assert page["next"] == page["rows"][-1]["id"]
        after = f"&after={page['next']}"


async def with_storage(file: MonolithFile, act: Any) -> Any:
    database = Database(file.url)
    try:
        return await act(assembled(file, database))
    finally:
        await database.aclose()


def test_all_that_is_kept_is_told_page_by_page_in_the_order_of_ids(
    operated: RunningShop, own_file: MonolithFile
) -> None:
    async def act(shop: Selling) -> None:
        buyers = [shop.buyer() for _ in range(4)]
        await shop.asked(*(decrease(buyer) for buyer in buyers), cancel(shop.buyer()))

    asyncio.run(with_storage(own_file, act))
    removed = own_file.add_purchase(own_file.add_user(), own_file.add_item(), deleted_at=datetime.now(UTC))
    decisions, transactions = all_pages(operated, "decisions", 2), all_pages(operated, "transactions", 3)
    assert sorted(row["outcome"] for row in decisions) == ["cancelled", *["decreased"] * 4]
    sold = {(row["id"], row["userId"], row["itemId"]) for row in decisions if row["outcome"] == "decreased"}
    live = {(row["id"], row["userId"], row["itemId"]) for row in transactions if row["deletedAt"] is None}
    assert live == sold
    assert [row["id"] for row in transactions if row["deletedAt"]] == [removed]
    for rows in (decisions, transactions):
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    stamps = [row["decidedAt"] for row in decisions] + [row["createdAt"] for row in transactions]
    assert all(abs(datetime.now(UTC) - datetime.fromisoformat(stamp)) < timedelta(minutes=5) for stamp in stamps)
    assert all_pages(operated, "decisions", 5) == decisions
    assert told(operate(operated, "decisions")) == {"rows": decisions, "next": None}


def test_the_stock_is_told_with_what_it_is_made_of(operated: RunningShop, own_file: MonolithFile) -> None:
    async def act(shop: Selling) -> str:
        wanted = shop.buyer()
        await shop.quantities.set(wanted.item_id, Quantity(4))
        await shop.asked(decrease(wanted))
        return wanted.item_id

    item = asyncio.run(with_storage(own_file, act))
    rows = [row for row in all_pages(operated, "stock", 1000) if row["id"] == item]
    assert rows == [{"id": item, "initial": 4, "restocked": 0, "sold": 1, "available": 3}]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=%C2%B2", f"limit={10**30}", "limit=", "after=x"]
)
def test_a_page_that_is_none_is_refused(operated: RunningShop, query: str) -> None:
    assert [operate(operated, f"{what}?{query}").status for what in PAGES] == [400] * 3


@pytest.mark.parametrize("token", ["", INTERNAL_TOKEN, OPERATOR_TOKEN + "x"])
def test_everything_needs_the_operators_credential(operated: RunningShop, token: str) -> None:
    for target in (*PAGES, "parked", "parked/groups", "parked/x", "status"):
        assert operate(operated, target, token=token).status == 401
    for word in ("redrive", "discard"):
        assert operate(operated, f"parked/{word}", {"ids": ["x"], "why": "x"}, token).status == 401
        assert told(operate(operated, f"parked/{word}", {"ids": ["x"], "why": "x"})) == {"count": 0}


def test_without_a_credential_or_a_broker_nothing_is_there(
    shop: RunningShop, gateway: Gateway, own_file: MonolithFile
) -> None:
    assert [operate(shop, target).status for target in (*PAGES, "parked", "status")] == [404] * 5
    with running_shop(own_file.url, gateway, OPERATOR_TOKEN=OPERATOR_TOKEN) as without_broker:
        assert operate(without_broker, "parked").status == 404


def test_the_state_of_queue_and_outbox_is_told(operated: RunningShop) -> None:
    status = told(operate(operated, "status"))
    assert status["consumer"] == {"queue": "shop.commands", "isConsuming": True, "held": 0, "reason": None}
    assert set(status["outbox"]) == {"unpublished", "oldestS", "troubles"}


def test_a_store_that_is_away_is_503(gateway: Gateway, tmp_path: Path) -> None:
    own = {"BROKER_URL": f"sqlite:///{tmp_path}/broker.sqlite3", "OPERATOR_TOKEN": OPERATOR_TOKEN}
    with running_shop(f"sqlite:///{tmp_path}/none.sqlite3", gateway, **own) as shop:
        assert [operate(shop, target).status for target in (*PAGES, "parked", "status")] == [503] * 5
