"""What a list route asks of the database does not grow with its rows."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.database.database import Database
from extracted.shop.api import application
from extracted.shop.service import Shop
from legacy_adapter.documents.sqlite import SqliteDocuments
from legacy_adapter.shop.items import LegacyItems
from legacy_adapter.shop.transactions import LegacyPurchases
from tests.support.monolith.monolith_file import MonolithFile


class AlwaysAdmin:
    async def verify(self, _token: bytes) -> Identity:
        return Identity(AuthenticationOutcome.USER, "4c75e3f0-d974-40dd-8e6c-27e29c1df764", ("admin",))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """With 100 items and 100 transactions in it."""
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    user = file.add_user()
    for _ in range(100):
        file.add_purchase(user, file.add_item())
    file.close()
    database = Database(file.url)
    yield database
    await database.aclose()


@pytest.mark.parametrize(("route", "queries"), [("/item", 1), ("/transactions", 2)])
async def test_100_rows_cost_as_many_queries_as_one(database: Database, route: str, queries: int) -> None:
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    shop = Shop(LegacyItems(SqliteDocuments(database)), LegacyPurchases(database))
    transport = httpx.ASGITransport(application.application(shop, AlwaysAdmin(), production=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for limit in (1, 100):
            answer = await client.get(f"{route}?limit={limit}", headers={"Authorization": "Bearer x"})
            assert answer.json()["metadata"]["count"] == limit
            assert len(asked) == queries
            asked.clear()
