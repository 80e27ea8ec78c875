"""What operators do with failed messages over HTTP: list, group, show, retry, discard."""

import io
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.envelope import new_id
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.service import failed_messages_api, logs


@dataclass(frozen=True)
class Operated:
    database: Database
    table: FailedMessages
    http: httpx.AsyncClient

    async def fail(self, *messages: tuple[str, bytes, timedelta | None]) -> list[str]:
        """(reason, body, when it is tried again) of messages of an unknown type; their rows' ids."""
        async with self.database.write() as connection:
            return [
                await self.table.record(
                    connection, "elsewhere", {"id": new_id(), "type": "odd.v1"}, body, reason, retry_after=again
                )
                for reason, body, again in messages
            ]

    async def get(self, target: str) -> Any:
        answer = await self.http.get(f"/internal/{target}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def change(self, verb: str, body: object) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(f"/internal/parked/{verb}", content=content)


@pytest.fixture
async def operated(tmp_path: Path) -> AsyncIterator[Operated]:
    file = tmp_path / "own.sqlite3"
    file.touch()
    own, database = OwnTables("thing", is_sqlite=True), Database(f"sqlite:///{file}")
    table = FailedMessages(own, lambda: datetime.now(UTC))
    async with database.write() as connection:
        await connection.run_sync(own.metadata.create_all)
    routes = failed_messages_api.routes(StoredFailedMessages(database, table))
    app = Starlette(routes=[Route(path, endpoint, methods=[method]) for method, path, endpoint in routes])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://thing") as http:
        yield Operated(database, table, http)
    await database.aclose()


async def test_they_are_listed_grouped_and_shown_with_what_they_said(operated: Operated) -> None:
    reason, later = "not understood", timedelta(hours=1)
    ids = await operated.fail(
        (reason, b'{"a": 1}', None), (reason, b"\xff\x00", later), (reason, b"x" * 2_000_000, None)
    )
    listed = {row["id"]: row for row in (await operated.get("parked?queue=elsewhere&limit=500"))["parked"]}
    assert [listed[one]["size"] for one in ids] == [8, 2, 2_000_000]
    assert [listed[one]["nextAttemptAt"] is None for one in ids] == [True, False, True]
    (group,) = (await operated.get("parked/groups"))["groups"]
    assert (group["count"], group["type"], group["queue"], group["reason"]) == (3, "odd.v1", "elsewhere", reason)
    assert (await operated.get("parked/groups?queue=other"))["groups"] == []
    shown = [await operated.get(f"parked/{one}") for one in ids]
    assert [one["body"] for one in shown] == ['{"a": 1}', {"base64": "/wA="}, None]
    assert shown[0]["properties"]["type"] == "odd.v1"
    assert (await operated.http.get("/internal/parked/none-such")).status_code == 404


async def test_they_come_in_pages(operated: Operated) -> None:
    await operated.fail(*((f"paged {number}", str(number).encode(), None) for number in range(3)))
    first = await operated.get("parked?limit=2")
    second = await operated.get(f"parked?limit=500&after={first['next']}")
    ids = [row["id"] for row in first["parked"] + second["parked"]]
    assert (len(first["parked"]), ids, second["next"]) == (2, sorted(set(ids)), None)
    for limit in ("0", "501", "x"):
        assert (await operated.http.get(f"/internal/parked?limit={limit}")).status_code == 400


async def test_a_change_is_done_counted_and_logged_with_its_why(operated: Operated) -> None:
    handlers = logging.getLogger().handlers[:]
    logs.configure("thing", "INFO", stream := io.StringIO())
    first, second, third = await operated.fail(*((f"{number}", str(number).encode(), None) for number in range(3)))
    asked = {"ids": [first, second, "none-such"], "why": "mended, see the ticket"}
    assert (await operated.change("redrive", asked)).json() == {"count": 2}
    waits = [(await operated.get(f"parked/{one}"))["nextAttemptAt"] is None for one in (first, third)]
    assert waits == [False, True]
    assert (await operated.change("discard", {"ids": [second], "why": "a test"})).json() == {"count": 1}
    assert (await operated.http.get(f"/internal/parked/{second}")).status_code == 404
    logging.getLogger().handlers[:] = handlers
    logged = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["why"], line["count"]) for line in logged] == [
        ("parked_redrive", "mended, see the ticket", 2),
        ("parked_discard", "a test", 1),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, [], {}, {"ids": ["x"]}, {"ids": [], "why": "x"}, {"ids": "x", "why": "x"},
     {"ids": [1], "why": "x"}, {"ids": ["x"], "why": " "}, {"ids": ["x"], "why": 1}, {"ids": ["x"] * 501, "why": "x"}],
)  # fmt: skip
async def test_a_change_without_ids_or_why_is_refused(operated: Operated, body: object) -> None:
    assert (await operated.change("redrive", body)).status_code == 400
