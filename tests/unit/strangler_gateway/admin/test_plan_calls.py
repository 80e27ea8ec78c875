"""Plans on the admin port, and operators with a name: who asks, who approves, and what the journal says."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chassis.settings import SettingsInvalid
from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.auth import Holder, Role, access
from strangler_gateway.admin.desk import AdminDesk
from tests.support.gateway.administered import OPERATOR, READER, settings, shown
from tests.support.gateway.migrating import LEGACY, SHADOW, World
from tests.support.gateway.planned import Driven, planned

NAMED = "# who may move\nada: ada-secret-1\nbob:bob-secret-22\n\n"
PLAN = "steps: [shadow, canary 10% 1h, extracted], approve: [shadow], window: '00:00-24:00 UTC'"


@dataclass
class Office:
    """A gateway's admin API, and the driver behind it."""

    driven: Driven
    http: httpx.AsyncClient

    async def post(self, verb: str, token: str = "ada-secret-1", **asked: Any) -> httpx.Response:
        return await self.http.post(f"/plans/items/{verb}", json=asked, headers={"Authorization": f"Bearer {token}"})

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path, headers={"Authorization": f"Bearer {READER}"})


@pytest.fixture
async def office(world: World) -> AsyncIterator[Office]:
    world.edit(*planned(PLAN))
    driven = Driven(world, await world.started())
    parts = shown(world, settings(admin_tokens=NAMED), plans=driven.plans)
    transport = httpx.ASGITransport(admin_app(AdminDesk(parts, driven.migration)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as http:
        yield Office(driven, http)


async def test_a_plan_tells_where_it_stands_and_what_it_waits_for(office: Office) -> None:
    one = (await office.get("/plans/item-read")).json()
    assert (await office.get("/plans")).json() == {"plans": [one]}
    assert (one["group"], one["state"], one["share"], one["next"]) == ("items", "legacy", None, "shadow")
    assert [reason["code"] for reason in one["waits"]] == ["asked", "approval"]
    assert all(reason["person"] for reason in one["waits"])
    assert one["steps"][1] == {
        "step": "canary 10 %",
        "state": "canary",
        "share": 10.0,
        "at_least_s": 3600.0,
        "approve": False,
        "reached": False,
    }
    assert (one["goes_on_in_s"], one["goes_on_at"]) == (None, None)
    missing = await office.get("/plans/orders")
    assert (missing.status_code, missing.json()["error"]) == (404, "no_plan")
    assert (await office.get("/plans/nothing")).status_code == 404


async def test_two_operators_make_a_step_that_one_alone_cannot(office: Office) -> None:
    asked = await office.post("advance", why="week 1", who="eve")
    assert (asked.status_code, asked.json()["code"], asked.json()["plan"]["asked"]) == (200, "waits", "ada")
    assert office.driven.world.last().who == "ada (127.0.0.1)"
    own = await office.post("approve")
    assert (own.status_code, own.json()["code"]) == (409, "same_operator")
    assert "ada-secret" not in own.text
    other = await office.post("approve", token="bob-secret-22")
    assert (other.status_code, other.json()["plan"]["approved"]) == (200, "bob")
    assert office.driven.position() == LEGACY
    await office.driven.go_on(10)
    assert office.driven.position() == SHADOW


async def test_all_who_share_one_credential_are_one_operator(office: Office) -> None:
    assert (await office.post("advance", token=OPERATOR, who="ada")).status_code == 200
    assert (await office.post("approve", token=OPERATOR, who="bob")).status_code == 409
    assert (await office.post("approve", token="bob-secret-22")).status_code == 200


@pytest.mark.parametrize(
    ("verb", "token", "asked", "status"),
    [
        ("advance", READER, {}, 403),
        ("approve", READER, {}, 403),
        ("pause", "unknown-secret", {}, 401),
        ("pause", "ada", {}, 401),
        ("pause", "ada-secret-1", {"whom": "x"}, 422),
        ("resume", "bob-secret-22", {}, 200),
        ("stop", "bob-secret-22", {}, 404),
    ],
)
async def test_only_operators_may(office: Office, verb: str, token: str, asked: dict[str, Any], status: int) -> None:
    assert (await office.post(verb, token, **asked)).status_code == status


async def test_the_journal_says_the_name_of_the_credential_for_every_move(office: Office) -> None:
    headers = {"Authorization": "Bearer bob-secret-22"}
    asked = {"unit": "search", "to": "shadow", "why": "t", "who": "eve@laptop"}
    assert (await office.http.post("/flip", json=asked, headers=headers)).status_code == 200
    assert office.driven.world.last().who == "bob (127.0.0.1)"


def test_operators_with_a_name_are_enough() -> None:
    known = access(settings(operator_token=None, reader_token=None, admin_tokens=NAMED))
    assert known.holder("bob-secret-22") == Holder("bob", Role.OPERATOR, True)
    assert known.denies(Role.OPERATOR, "Bearer ada-secret-1", "") is None
    assert known.denies(Role.READER, "", "127.0.0.1") is not None
    assert "ada-secret" not in repr(known)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ada secret-1", "line 1 names no operator"),
        ("ada:short", "at least 8 characters"),
        ("a b:secret-123", "line 1 names no operator"),
        ("ada:secret-123\nada:secret-456", "line 2: the name ada is taken"),
        ("operator:secret-123", "the name operator is taken"),
        ("ada:secret-123\nbob:secret-123", "a credential is given twice"),
        (f"ada:{OPERATOR}", "a credential is given twice"),
    ],
)
def test_a_list_of_operators_that_is_none_is_refused_without_a_secret(text: str, fault: str) -> None:
    with pytest.raises(SettingsInvalid, match=fault) as refused:
        access(settings(admin_tokens=text))
    assert "secret" not in str(refused.value)
