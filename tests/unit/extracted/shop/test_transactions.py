"""GET /transactions: who has bought what, for administrators."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import Gateway, RunningShop, running_shop

ADMIN = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("admin",))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithFile]:
    file = MonolithFile(Path(tmp_path_factory.mktemp("transactions")) / "monolith.sqlite3")
    yield file
    file.close()


@pytest.fixture(scope="module")
def own(file: MonolithFile, gateway: Gateway) -> Iterator[RunningShop]:
    with running_shop(file.url, gateway) as running:
        yield running


@pytest.fixture(scope="module")
def rows(file: MonolithFile) -> list[dict[str, str]]:
    """Five transactions as they are shown, in the order in which they were made; a sixth was deleted."""
    found = []
    for _ in range(5):
        item, user = file.add_item(), file.add_user()
        found.append({"id": file.add_purchase(user, item), "userId": user, "objectId": item})
    file.add_purchase(file.add_user(), file.add_item(), deleted_at=datetime.now(UTC))
    return found


def listed(shop: RunningShop, query: str = "") -> tuple[object, object]:
    answer = shop.ask(f"/transactions{query}", ADMIN)
    assert answer.status == 200, answer.body
    body = json.loads(answer.body)
    return body["metadata"], body["data"]


def test_metadata_tell_count_page_and_the_total_of_all_pages(own: RunningShop, rows: list[dict[str, str]]) -> None:
    answer = own.ask("/transactions?limit=2&page=3", ADMIN)
    (last,) = rows[4:]
    metadata = '{"metadata":{"count":1,"pagination":{"page":3,"limit":2,"total":5}},"data":'
    shown = f'[{{"id":"{last["id"]}","userId":"{last["userId"]}","objectId":"{last["objectId"]}"}}]}}'
    assert answer.body.decode() == metadata + shown


def test_all_that_are_not_deleted_come_in_the_order_of_their_making(
    own: RunningShop, rows: list[dict[str, str]]
) -> None:
    assert listed(own) == ({"count": 5, "pagination": {"page": 1, "limit": 10, "total": 5}}, rows)


def test_orders_and_filters_are_ignored(own: RunningShop, rows: list[dict[str, str]]) -> None:
    for query in ("?order-by=id:desc", "?order-by[]=x", "?userId=x", "?id[a]=b"):
        assert listed(own, query)[1] == rows


@pytest.mark.parametrize("query", ["limit=101", "limit=-1", "page=-1"])
def test_a_page_out_of_range_is_400(own: RunningShop, query: str) -> None:
    answer = own.ask(f"/transactions?{query}", ADMIN)
    assert (answer.status, answer.body) == (400, b'{"statusCode":400,"message":"Bad Request"}')


def test_a_page_further_than_the_table_counts_is_the_databases_500(own: RunningShop) -> None:
    answer = own.ask(f"/transactions?page={10**20}", ADMIN)
    assert (answer.status, answer.body) == (500, b'{"statusCode":500,"message":"Internal Server Error"}')
    assert "unexpected_error" not in {line["event"] for line in own.logged()}


@pytest.mark.parametrize(
    ("identity", "status"),
    [
        (NOBODY, 401),
        (Identity(AuthenticationOutcome.REJECTED), 403),
        (Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("guest", "user")), 403),
    ],
)
def test_they_are_for_administrators_alone(own: RunningShop, identity: Identity, status: int) -> None:
    assert own.ask("/transactions?limit=101", identity).status == status
