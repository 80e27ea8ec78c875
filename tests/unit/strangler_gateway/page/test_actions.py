"""What operators do on the page: the same as through the admin API, with the same words in the journal."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.page.app import OperatorsPage
from tests.support.gateway.administered import settings, shown
from tests.support.gateway.migrating import World
from tests.support.gateway.planned import Driven, planned

SITE = "http://127.0.0.1:8081"
NAMED = "ada: ada-secret-1\nbob: bob-secret-22"
PLAN = "steps: [shadow, canary 10% 1h, extracted], approve: [shadow]"


@dataclass
class Operator:
    """A browser of somebody who has logged in."""

    http: httpx.AsyncClient

    async def act(self, path: str, **form: str) -> str:
        """What the page says then."""
        page = (await self.http.get("/ui/group?unit=items")).text
        token = re.search(r'name="form_token" value="([^"]+)"', page)
        assert token is not None
        headers = {"Origin": SITE}
        answer = await self.http.post(
            path, data={"form_token": token[1], **form}, headers=headers, follow_redirects=True
        )
        notice = re.search(r'class="notice" role="status">([^<]*)<', answer.text)
        return notice[1] if notice else re.sub(r"<[^>]+>", " ", answer.text)


@dataclass
class Office:
    world: World
    operators: dict[str, Operator]


@pytest.fixture
async def office(world: World) -> AsyncIterator[Office]:
    world.edit(*planned(PLAN))
    driven = Driven(world, await world.started())
    desk = AdminDesk(shown(world, settings(admin_tokens=NAMED), plans=driven.plans), driven.migration)
    app, operators = admin_app(desk, OperatorsPage(desk).routes), dict[str, Operator]()
    for name, token in (("ada", "ada-secret-1"), ("bob", "bob-secret-22")):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE)
        await http.post("/ui/login", data={"credential": token, "name": "root"}, headers={"Origin": SITE})
        operators[name] = Operator(http)
    yield Office(world, operators)
    for operator in operators.values():
        await operator.http.aclose()


async def test_a_plan_is_advanced_by_one_operator_and_approved_by_another(office: Office) -> None:
    ada, bob = office.operators["ada"], office.operators["bob"]
    assert "approv" in await ada.act("/ui/plan", unit="items", verb="advance", why="now", step="shadow")
    assert "other" in await ada.act("/ui/plan", unit="items", verb="approve", step="shadow")
    said = await bob.act("/ui/plan", unit="items", verb="approve", step="shadow", why="fine")
    assert "shadow" in said
    assert "ada (" in (await bob.http.get("/ui/group?unit=items")).text
    assert "paused: lunch" in await bob.act("/ui/plan", unit="items", verb="pause", why="lunch")
    assert "wanted advance" in await bob.act("/ui/plan", unit="items", verb="explode")


async def test_a_credential_with_a_name_says_who_acts_and_faults_are_told(office: Office) -> None:
    ada = office.operators["ada"]
    assert await ada.act("/ui/move", unit="items", to="shadow", why="look") == (
        "items is now at shadow (the plan of items wants an approval for shadow; a flip by hand goes without it)."
    )
    assert office.world.last().who.startswith("ada (")
    office.world.compared()
    refused = await ada.act("/ui/move", unit="items", to="canary", share="0,001", why="x")
    assert "at most two decimals" in refused
    assert "moves with its group" in await ada.act("/ui/move", unit="item-read", to="shadow", why="x")
    assert "no group or route is called" in await ada.act("/ui/rollback", unit="nothing")
    assert await ada.act("/ui/rollback", why="home") == "items is now at legacy, on hold."
    assert await ada.act("/ui/rollback", why="home") == "Nothing had to be moved."
    assert await ada.act("/ui/release", unit="items", why="fixed") == "items is now at legacy."
