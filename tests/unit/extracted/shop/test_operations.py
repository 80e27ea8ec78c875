"""What operators look at and do: over a socket, with their own credential."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.outbox.failed_messages.table import FailedMessages
from extracted.shop.domain import Quantity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.commands import cancel, decrease, fresh_id
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
)
from tests.unit.extracted.shop.selling import Selling, assembled

pytestmark = pytest.mark.walk

PAGES = ("transactions", "decisions", "stock")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithFile]:
    file = MonolithFile(tmp_path_factory.mktemp("operated") / "monolith.sqlite3")
    yield file
    file.close()


@pytest.fixture(scope="module")
def operated(file: MonolithFile, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running_seller(file.url, gateway, tmp_path_factory.mktemp("broker")) as running:
        yield running


def operate(shop: RunningShop, target: str, body: object = None, token: str = OPERATOR_TOKEN) -> Answer:
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
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


def park(file: MonolithFile, *messages: tuple[str, bytes, timedelta | None]) -> list[str]:
    """(reason, body, when it is tried again) of messages of an unknown type; their rows' ids."""

    async def act(shop: Selling) -> list[str]:
        parked = FailedMessages(OwnTables("shop", is_sqlite=True), lambda: datetime.now(UTC))
        async with shop.database.write() as connection:
            return [
                await parked.record(
                    *(connection, "elsewhere", {"id": fresh_id(), "type": "odd.v1"}, body, reason), retry_after=again
                )
                for reason, body, again in messages
            ]

    ids: list[str] = asyncio.run(with_storage(file, act))
    return ids


def test_all_that_is_kept_is_told_page_by_page_in_the_order_of_ids(operated: RunningShop, file: MonolithFile) -> None:
    async def act(shop: Selling) -> None:
        buyers = [shop.buyer() for _ in range(4)]
        await shop.asked(*(decrease(buyer) for buyer in buyers), cancel(shop.buyer()))

    asyncio.run(with_storage(file, act))
    removed = file.add_purchase(file.add_user(), file.add_item(), deleted_at=datetime.now(UTC))
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


def test_the_stock_is_told_with_what_it_is_made_of(operated: RunningShop, file: MonolithFile) -> None:
    async def act(shop: Selling) -> str:
        wanted = shop.buyer()
        await shop.quantities.set(wanted.item_id, Quantity(4))
        await shop.asked(decrease(wanted))
        return wanted.item_id

    item = asyncio.run(with_storage(file, act))
    (row,) = [row for row in all_pages(operated, "stock", 1000) if row["id"] == item]
    assert row == {"id": item, "initial": 4, "restocked": 0, "sold": 1, "available": 3}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=%C2%B2", f"limit={10**30}", "limit=", "after=x"]
)
@pytest.mark.parametrize("what", PAGES)
def test_a_page_that_is_none_is_refused(operated: RunningShop, what: str, query: str) -> None:
    assert operate(operated, f"{what}?{query}").status == 400


@pytest.mark.parametrize("token", ["", INTERNAL_TOKEN, OPERATOR_TOKEN + "x"])
@pytest.mark.parametrize("target", [*PAGES, "parked", "parked/groups", "parked/x", "status"])
def test_every_look_needs_the_operators_credential(operated: RunningShop, target: str, token: str) -> None:
    assert operate(operated, target, token=token).status == 401


@pytest.mark.parametrize("word", ["redrive", "discard"])
def test_every_change_needs_the_operators_credential(operated: RunningShop, file: MonolithFile, word: str) -> None:
    (row,) = park(file, ("kept", b"{}", None))
    assert operate(operated, f"parked/{word}", {"ids": [row], "why": "x"}, token=INTERNAL_TOKEN).status == 401
    assert operate(operated, f"parked/{row}").status == 200


def test_without_a_credential_in_the_settings_nothing_is_there(shop: RunningShop) -> None:
    assert [operate(shop, target).status for target in (*PAGES, "parked", "status")] == [404] * 5


def test_without_a_broker_there_is_nothing_to_look_at(gateway: Gateway, file: MonolithFile) -> None:
    with running_shop(file.url, gateway, OPERATOR_TOKEN=OPERATOR_TOKEN) as shop:
        assert operate(shop, "parked").status == 404


def test_parked_messages_are_listed_grouped_and_shown_with_what_they_said(
    operated: RunningShop, file: MonolithFile
) -> None:
    later = timedelta(hours=1)
    reason = f"not understood {uuid.uuid4()}"
    ids = park(file, (reason, b'{"a": 1}', None), (reason, b"\xff\x00", later), (reason, b"x" * 2_000_000, None))
    listed = {row["id"]: row for row in told(operate(operated, "parked?queue=elsewhere&limit=500"))["parked"]}
    assert {listed[one]["size"] for one in ids} == {8, 2, 2_000_000}
    assert [listed[one]["nextAttemptAt"] is None for one in ids] == [True, False, True]
    (group,) = [one for one in told(operate(operated, "parked/groups"))["groups"] if one["reason"] == reason]
    assert (group["count"], group["type"], group["queue"]) == (3, "odd.v1", "elsewhere")
    shown = [told(operate(operated, f"parked/{one}")) for one in ids]
    assert [one["body"] for one in shown] == ['{"a": 1}', {"base64": "/wA="}, None]
    assert shown[0]["properties"]["type"] == "odd.v1"
    assert operate(operated, "parked/none-such").status == 404


def test_parked_messages_come_in_pages(operated: RunningShop, file: MonolithFile) -> None:
    park(file, *((f"paged {number}", str(number).encode(), None) for number in range(3)))
    first = told(operate(operated, "parked?limit=2"))
    second = told(operate(operated, f"parked?limit=500&after={first['next']}"))
    ids = [row["id"] for row in first["parked"] + second["parked"]]
    assert (len(first["parked"]), ids, second["next"]) == (2, sorted(set(ids)), None)
    assert [operate(operated, f"parked?limit={limit}").status for limit in ("0", "501", "x")] == [400] * 3


def test_a_change_is_done_counted_and_logged_with_its_why(operated: RunningShop, file: MonolithFile) -> None:
    first, second, third = park(file, *((f"changed {number}", str(number).encode(), None) for number in range(3)))
    asked = {"ids": [first, second, "none-such"], "why": "mended, see the ticket"}
    assert told(operate(operated, "parked/redrive", asked)) == {"count": 2}
    assert [told(operate(operated, f"parked/{one}"))["nextAttemptAt"] is None for one in (first, third)] == [
        False,
        True,
    ]
    assert told(operate(operated, "parked/discard", {"ids": [second], "why": "a test"})) == {"count": 1}
    assert operate(operated, f"parked/{second}").status == 404
    logged = [line for line in operated.logged() if str(line["event"]).startswith("parked_")]
    assert {(line["event"], line["why"], line["count"]) for line in logged} >= {
        ("parked_redrive", "mended, see the ticket", 2),
        ("parked_discard", "a test", 1),
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, [], {}, {"ids": ["x"]}, {"ids": [], "why": "x"}, {"ids": "x", "why": "x"},
     {"ids": [1], "why": "x"}, {"ids": ["x"], "why": " "}, {"ids": ["x"], "why": 1}, {"ids": ["x"] * 501, "why": "x"}],
)  # fmt: skip
def test_a_change_without_ids_or_why_is_refused(operated: RunningShop, body: object) -> None:
    assert operate(operated, "parked/redrive", body).status == 400


def test_the_state_of_queue_and_outbox_is_told(operated: RunningShop) -> None:
    status = told(operate(operated, "status"))
    assert status["consumer"] == {"queue": "shop.commands", "isConsuming": True, "held": 0, "reason": None}
    assert set(status["outbox"]) == {"unpublished", "oldestS", "troubles"}


def test_a_store_that_is_away_is_503(gateway: Gateway, tmp_path: Path) -> None:
    own = {"BROKER_URL": f"sqlite:///{tmp_path}/broker.sqlite3", "OPERATOR_TOKEN": OPERATOR_TOKEN}
    with running_shop(f"sqlite:///{tmp_path}/none.sqlite3", gateway, **own) as shop:
        assert [operate(shop, target).status for target in (*PAGES, "parked", "status")] == [503] * 5
