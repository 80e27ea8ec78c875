"""The admin API: who may do what, what it is told, what it shows."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.auth import Role, access, is_loopback, weaknesses
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.migration.migration import Migration
from tests.support.gateway.administered import OPERATOR, READER, settings, shown
from tests.support.gateway.migrating import World

OPEN = ["/health/live", "/health/ready", "/metrics", "/.well-known/jwks.json"]
READS = ["/status", "/routes", "/services", "/inventory", "/log", "/diff", "/differences?route=search"]
READS += ["/groups/items/evidence", "/explain?method=GET&path=/item/1"]
WRITES: dict[str, dict[str, Any]] = {
    "/flip": {"unit": "items", "to": "shadow", "why": "ready"},
    "/rollback": {"unit": "items"},
    "/release": {"unit": "items"},
    "/record": {"for_s": 0.01},
    "/reload": {},
}
AS_OPERATOR, AS_READER = {"Authorization": f"Bearer {OPERATOR}"}, {"Authorization": f"bearer {READER}"}


def client(world: World, migration: Migration, **given: Any) -> httpx.AsyncClient:
    parts = shown(world, settings(**given))
    transport = httpx.ASGITransport(admin_app(AdminDesk(parts, migration)), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081")


@pytest.fixture
async def admin(world: World, migration: Migration) -> AsyncIterator[httpx.AsyncClient]:
    async with client(world, migration) as opened:
        opened.headers.update(AS_OPERATOR)
        yield opened


async def statuses(admin: httpx.AsyncClient, headers: dict[str, str]) -> tuple[set[int], set[int], set[int]]:
    """Of what is open, of the reads, of the writes."""
    opened = {(await admin.get(path, headers=headers)).status_code for path in OPEN}
    reads = {(await admin.get(path, headers=headers)).status_code for path in READS}
    writes = {(await admin.post(path, json=body, headers=headers)).status_code for path, body in WRITES.items()}
    return opened, reads, writes


@pytest.mark.parametrize(
    ("credentials", "host", "headers", "reads", "writes"),
    [
        ({}, "127.0.0.1", AS_OPERATOR, 200, 200),
        ({}, "127.0.0.1", AS_READER, 200, 403),
        ({}, "127.0.0.1", {}, 401, 401),
        ({}, "127.0.0.1", {"Authorization": "Bearer wrong"}, 401, 401),
        ({}, "127.0.0.1", {"Authorization": f"Basic {OPERATOR}"}, 401, 401),
        ({}, "127.0.0.1", {"Authorization": "Bearer "}, 401, 401),
        ({}, "0.0.0.0", AS_OPERATOR, 200, 200),
        ({"operator_token": None}, "127.0.0.1", AS_READER, 200, 403),
        ({"operator_token": None}, "127.0.0.1", AS_OPERATOR, 401, 403),
        ({"reader_token": None}, "127.0.0.1", AS_OPERATOR, 200, 200),
        ({"reader_token": None}, "127.0.0.1", {}, 401, 401),
        ({"reader_token": None, "operator_token": None}, "127.0.0.1", {}, 200, 403),
        ({"reader_token": None, "operator_token": None}, "::1", {}, 200, 403),
        ({"reader_token": None, "operator_token": " "}, "127.0.0.1", {"Authorization": "Bearer  "}, 200, 403),
        ({"reader_token": None, "operator_token": None}, "0.0.0.0", {}, 403, 403),
        ({"reader_token": None, "operator_token": None}, "127.0.0.1", {"Host": "evil.example"}, 403, 403),
    ],
)
async def test_who_may_read_and_who_may_write(
    world: World,
    migration: Migration,
    credentials: dict[str, Any],
    host: str,
    headers: dict[str, str],
    reads: int,
    writes: int,
) -> None:
    async with client(world, migration, admin_host=host, **credentials) as admin:
        assert await statuses(admin, headers) == ({200}, {reads}, {writes})


def test_every_denial_says_which_credential_to_set_and_loopback_is_this_machine_alone() -> None:
    writes_off = access(settings(operator_token=None, reader_token=None)).denies(Role.OPERATOR, "", "127.0.0.1")
    unknown = access(settings(operator_token=None)).denies(Role.READER, "", "127.0.0.1")
    assert writes_off is not None
    assert unknown is not None
    assert ("STRANGLER_OPERATOR_TOKEN_FILE" in writes_off.message, "reader" in unknown.message) == (True, True)
    hosts = ["127.0.0.1", "127.1.2.3", "::1", "LocalHost", "0.0.0.0", ""]
    assert [is_loopback(host) for host in hosts] == [True, True, True, True, False, False]


def test_a_credential_that_can_be_guessed_is_told_without_showing_it() -> None:
    short, long = "secret-of-15-ch", "a-secret-of-16-c"
    told = weaknesses(settings(operator_token=short, reader_token=long))
    assert [sentence.split()[0] for sentence in told] == ["STRANGLER_OPERATOR_TOKEN"]
    assert short not in told[0]
    assert weaknesses(settings(operator_token=None, reader_token=long)) == []


async def test_no_answer_and_no_repr_holds_a_credential(world: World, migration: Migration) -> None:
    async with client(world, migration) as admin:
        answers = [await admin.get(path, headers=headers) for path in READS for headers in (AS_READER, {})]
        answers.append(await admin.post("/flip", json={"unit": 1}, headers=AS_OPERATOR))
    assert not any(secret in answer.text for answer in answers for secret in (OPERATOR, READER))
    assert OPERATOR not in repr(access(settings()))


async def test_a_flip_tells_before_after_undo_and_digest(admin: httpx.AsyncClient, migration: Migration) -> None:
    answer = await admin.post("/flip", json={"unit": "items", "to": "shadow", "why": "ready", "who": "alice\x1b"})
    said = answer.json()
    assert (answer.status_code, said["done"]) == (200, True)
    legacy, shadow = {"state": "legacy"}, {"state": "shadow"}
    assert (said["before"], said["after"], said["undo"]) == (legacy, shadow, [legacy])
    assert said["digest"] == migration.served.digest == (await admin.get("/status")).json()["digest"]
    entry = (await admin.get("/log", params={"limit": 1})).json()["entries"][0]
    assert (entry["who"], entry["why"], entry["event"]) == ("alice? (127.0.0.1)", "ready", "flip")


async def test_a_refused_flip_is_a_conflict_with_every_reason(
    admin: httpx.AsyncClient, world: World, migration: Migration
) -> None:
    await admin.post("/flip", json=WRITES["/flip"])
    world.compared(different=1)
    world.down.add("items")
    world.examples = {"item-read": [{"place": "$.price"}]}
    answer = await admin.post("/flip", json={"unit": "items", "to": "canary", "share": 0.5, "why": "ready"})
    assert answer.status_code == 409
    refusals = answer.json()["refusals"]
    assert [r["code"] for r in refusals] == ["unreachable", "differences"]
    assert all(r["forcible"] for r in refusals)
    assert refusals[1]["example"] == {"place": "$.price"}
    await admin.post("/flip", json={"unit": "items", "to": "canary", "share": 0.5, "why": "ready", "force": True})
    assert (await admin.get("/log?limit=1")).json()["entries"][0]["forced"] == ["unreachable", "differences"]


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/flip", b"", 422, "JSON"),
        ("/flip", b"[]", 422, "object"),
        ("/flip", b'{"unit": "items"}', 422, "to"),
        ("/flip", b'{"unit": "items", "to": "gone"}', 422, "to"),
        ("/flip", b'{"unit": "items", "to": "canary"}', 422, "share"),
        ("/flip", b'{"unit": "items", "to": "shadow", "share": 1}', 422, "share"),
        ("/flip", b'{"unit": "items", "to": "canary", "share": 101}', 422, "share"),
        ("/flip", b'{"unit": "items", "to": "canary", "share": 0.001}', 422, "0.01"),
        ("/flip", b'{"unit": "items", "to": "canary", "share": NaN}', 422, "share"),
        ("/flip", b'{"unit": "items", "to": "shadow", "whi": "x"}', 422, "whi"),
        ("/flip", b'{"unit": "nobody", "to": "shadow"}', 404, "nobody"),
        ("/flip", b'{"unit": "item-read", "to": "shadow"}', 422, "items"),
        ("/flip", b'{"unit": "items", "to": "shadow", "why": "' + b"x" * 1001 + b'"}', 422, "why"),
        ("/rollback", b" " * 70_000, 413, "65536"),
        ("/flip", b" " * 1_100_000, 413, "1048576"),
        ("/rollback", b"{}", 422, "all"),
        ("/rollback", b'{"unit": "items", "all": true}', 422, "all"),
        ("/rollback", b'{"unit": "nobody"}', 404, "nobody"),
        ("/release", b'{"unit": "nobody"}', 404, "nobody"),
        ("/release", b"{}", 422, "all"),
        ("/nowhere", b"{}", 404, "admin API"),
        ("/routes", b"{}", 405, "admin API"),
        ("/log?limit=0", None, 422, "limit"),
        ("/log?limit=1001", None, 422, "limit"),
        ("/log?limit=99999999999999999999", None, 422, "limit"),
        ("/log?limit=x", None, 422, "limit"),
        ("/differences", None, 422, "route"),
        ("/differences?route=nobody", None, 404, "nobody"),
        ("/explain?method=GET", None, 422, "path"),
    ],
)
async def test_what_is_not_understood_changes_nothing_and_says_why(
    admin: httpx.AsyncClient, world: World, path: str, body: bytes | None, status: int, word: str
) -> None:
    answer = await (admin.get(path) if body is None else admin.post(path, content=body))
    assert answer.status_code == status
    assert word in answer.json()["message"]
    assert world.served == []


async def test_a_rollback_of_a_route_takes_its_group_until_the_release_and_all_takes_all(
    admin: httpx.AsyncClient, migration: Migration
) -> None:
    await admin.post("/flip", json=WRITES["/flip"])
    [unit] = (await admin.post("/rollback", json={"unit": "item-read"})).json()["units"]
    assert (unit["unit"], unit["held"], unit["after"]) == ("items", True, {"state": "legacy"})
    assert (await admin.post("/flip", json=WRITES["/flip"])).status_code == 409
    assert (await admin.post("/release", json={"unit": "items"})).json()["done"]
    assert (await admin.post("/flip", json=WRITES["/flip"])).status_code == 200
    await admin.post("/flip", json={"unit": "search", "to": "shadow", "why": "ready"})
    units = (await admin.post("/rollback", json={"all": True})).json()["units"]
    assert {unit["unit"] for unit in units} == {"items", "search"}  # orders never left legacy
    assert {unit for unit, standing in migration.standings.items() if standing.hold} == {"items", "search"}
    assert (await admin.post("/rollback", json={"all": True})).json() == {"units": []}
    released = (await admin.post("/release", json={"all": True})).json()["units"]
    assert [(unit["unit"], unit["done"], unit["held"]) for unit in released] == [
        ("items", True, False),
        ("search", True, False),
    ]
    assert (await admin.post("/release", json={"all": True})).json() == {"units": []}


async def test_routes_shows_counters_by_side_and_undeclared_traffic(admin: httpx.AsyncClient, world: World) -> None:
    counts = world.stats.route("item-read")
    counts.legacy, counts.extracted, counts.errors_extracted, counts.shadow_different = 7, 5, 3, 2
    world.stats.undeclared.update({"GET /a/{}": 1, "GET /b": 9})
    shown = (await admin.get("/routes")).json()
    row = next(route for route in shown["routes"] if route["id"] == "item-read")
    told = (row["methods"], row["path"], row["unit"], row["state"], row["share"])
    assert told == (["GET"], "/item/{id}", "items", "legacy", None)
    assert (row["requests"], row["errors"]["extracted"]) == ({"legacy": 7, "extracted": 5}, 3)
    assert row["shadow"]["different"] == 2
    assert shown["undeclared"] == [{"shape": "GET /b", "requests": 9}, {"shape": "GET /a/{}", "requests": 1}]
    assert shown["since"] == "1970-01-12T13:46:40.000Z"


async def test_reload_reports_the_digest_or_every_fault(
    admin: httpx.AsyncClient, world: World, migration: Migration
) -> None:
    assert (await admin.post("/reload")).json()["digest"] == migration.served.digest
    world.edit("version: 1", "version: 2")
    world.edit("legacy: monolith", "legacy: nobody")
    answer = await admin.post("/reload")
    assert answer.status_code == 409
    assert len(answer.json()["faults"]) == 2
    assert (await admin.get("/status")).json()["failed_reloads"] == 1
    assert not (await admin.get("/diff")).json()["same"]


async def test_diff_names_what_an_unread_file_changes(admin: httpx.AsyncClient, world: World) -> None:
    assert (await admin.get("/diff")).json()["same"]
    world.edit('path: "/search"', 'path: "/find"')
    world.edit("items: {state: legacy", "items: {state: canary, share: 5")
    world.edit("version: 1", "version: 1\npaths: {case_sensitive: false}")
    shown = (await admin.get("/diff")).json()
    assert (shown["unread"], shown["changed"]) == (True, ["search", "paths"])
    assert shown["units"][0]["file"] == {"state": "canary", "share": 5.0}


async def test_explain_tells_route_unit_bucket_and_reason(admin: httpx.AsyncClient, world: World) -> None:
    await admin.post("/flip", json=WRITES["/flip"])
    world.compared()
    await admin.post("/flip", json={"unit": "items", "to": "canary", "share": 50, "why": "ready"})
    seen = set()
    for user in map(str, range(20)):
        shown = (await admin.get("/explain", params={"method": "GET", "path": "/item/3?x=1", "user": user})).json()
        assert (shown["route"], shown["unit"], shown["variables"]) == ("item-read", "items", {"id": "3"})
        assert (shown["bucket"] < 5000) == (shown["side"] == "extracted") == (shown["reason"] == "share_in")
        assert shown["service"] == ("items" if shown["side"] == "extracted" else "monolith")
        seen.add(shown["side"])
    assert seen == {"legacy", "extracted"}
    nobody = (await admin.get("/explain", params={"method": "GET", "path": "/item/3"})).json()
    assert (nobody["bucket"], nobody["reason"]) == (None, "anonymous")


async def test_metrics_tell_the_state_of_every_unit(admin: httpx.AsyncClient) -> None:
    await admin.post("/flip", json=WRITES["/flip"])
    await admin.post("/rollback", json={"unit": "orders"})
    answer = await admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    read = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
    assert read["strangler_unit_state", "items", "shadow"] == 1
    assert [read["strangler_unit_held", unit] for unit in ("items", "orders")] == [0, 1]
    assert (read["strangler_failed_reloads_total",], read["strangler_state_dir_writable",]) == (0, 1)


async def test_ready_is_told_by_its_status_and_the_keys_are_public_ones(world: World, migration: Migration) -> None:
    parts = shown(world, settings(), is_ready=False)
    transport = httpx.ASGITransport(admin_app(AdminDesk(parts, migration)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as admin:
        assert (await admin.get("/health/ready")).status_code == 503
        assert (await admin.get("/health/live")).status_code == 200
        assert "degraded" not in (await admin.get("/health/ready")).json()
        [key] = (await admin.get("/.well-known/jwks.json")).json()["keys"]
        assert "d" not in key
