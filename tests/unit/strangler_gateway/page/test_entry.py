"""Who may look at the page and act on it: log-in, its limits and its end, and forms that the page has not made."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.auth import Holder, Role
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.migration.migration import Migration
from strangler_gateway.page.app import OperatorsPage
from strangler_gateway.page.entry.door import local
from strangler_gateway.page.entry.sessions import IDLE_S, MAX_SESSIONS, LoginSessions
from tests.support.gateway.administered import OPERATOR, READER, settings, shown
from tests.support.gateway.migrating import World

SITE = "http://127.0.0.1:8081"
HERE = {"Origin": SITE}
EVERYWHERE = ["/ui", "/ui/group?unit=items", "/ui/services", "/ui/request?path=/item/1", "/ui/journal"]
EVERYWHERE += ["/ui/move?unit=items&to=shadow"]


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Browser(httpx.AsyncClient):
    """With one page behind it."""

    def __init__(self, world: World, migration: Migration, **given: Any) -> None:
        self.time = Time()
        desk = AdminDesk(shown(world, settings(**given)), migration)
        app = admin_app(desk, OperatorsPage(desk, self.time).routes)
        super().__init__(transport=httpx.ASGITransport(app), base_url=SITE)

    async def log_in(self, credential: str, headers: Mapping[str, str] = HERE, **more: str) -> httpx.Response:
        return await self.post("/ui/login", data={"credential": credential, **more}, headers=headers)

    async def token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', (await self.get("/ui/group?unit=items")).text)
        return found[1] if found else ""


@pytest.fixture
async def browser(world: World, migration: Migration) -> AsyncIterator[Browser]:
    async with Browser(world, migration) as opened:
        yield opened


async def test_without_a_log_in_every_page_leads_to_the_form_and_from_there_back(browser: Browser) -> None:
    for path in EVERYWHERE:
        answer = await browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/ui/login?next=%2Fui")
    entered = await browser.log_in(READER, next="/ui/group?unit=items")
    assert (entered.status_code, entered.headers["location"]) == (303, "/ui/group?unit=items")
    assert [(await browser.get(path)).status_code for path in EVERYWHERE] == [200] * len(EVERYWHERE)


async def test_an_open_page_whose_log_in_is_unknown_is_told_that_it_has_ended(browser: Browser) -> None:
    answer = await browser.get("/ui/live?page=overview")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.text == "event: expired\ndata: \n\n"
    assert (await browser.get("/ui/history")).status_code == 303


async def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(browser: Browser) -> None:
    cookie = (await browser.log_in(OPERATOR)).headers["set-cookie"]
    assert {"HttpOnly", "Path=/ui", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    proxied = {"Origin": "https://ops.example", "Host": "ops.example"}
    assert "Secure" in (await browser.log_in(OPERATOR, proxied)).headers["set-cookie"]
    assert OPERATOR not in cookie


async def test_a_link_from_another_site_comes_without_the_cookie_and_asks_once_more_by_itself(browser: Browser) -> None:
    answer = await browser.get("/ui/group?unit=items", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0; url=/ui/login?next=%2Fui%2Fgroup%3Funit%3Ditems"' in answer.text
    await browser.log_in(READER)
    back = await browser.get("/ui/login?next=%2Fui%2Fgroup%3Funit%3Ditems")
    assert back.headers["location"] == "/ui/group?unit=items"


async def test_wrong_credentials_are_few_a_minute_and_never_shown(browser: Browser) -> None:
    said = [await browser.log_in(f"wrong-{number}") for number in range(11)]
    assert [one.status_code for one in said] == [403] * 10 + [429]
    assert not any("wrong-" in one.text for one in said)
    assert (await browser.log_in(OPERATOR)).status_code == 429
    browser.time.now += 61
    assert (await browser.log_in(OPERATOR)).status_code == 303


@pytest.mark.parametrize(
    ("headers", "token", "credential", "status"),
    [
        (HERE, True, OPERATOR, 303),
        (HERE, False, OPERATOR, 403),
        ({}, True, OPERATOR, 403),
        ({"Origin": "null"}, True, OPERATOR, 403),
        ({"Origin": "https://evil.example"}, True, OPERATOR, 403),
        ({"Origin": "http://127.0.0.1:9999"}, True, OPERATOR, 403),
        (HERE, True, READER, 403),
        (HERE, True, None, 303),
    ],
)
async def test_only_an_operators_form_of_this_page_moves_something(
    browser: Browser, migration: Migration, headers: dict[str, str], token: bool, credential: str | None, status: int
) -> None:
    if credential is not None:
        await browser.log_in(credential)
    form = {"unit": "items", "to": "shadow", "why": "ready"}
    if token:
        form["form_token"] = await browser.token()
    answer = await browser.post("/ui/move", data=form, headers=headers)
    assert answer.status_code == status
    moved = credential == OPERATOR and status == 303
    assert str(migration.served.movables["items"].state) == ("shadow" if moved else "legacy")


async def test_a_log_in_ends_when_it_is_not_used_and_when_it_is_left(browser: Browser) -> None:
    await browser.log_in(OPERATOR)
    for _ in range(3):
        browser.time.now += IDLE_S[Role.OPERATOR] - 1
        assert (await browser.get("/ui")).status_code == 200
    for _ in range(2):
        browser.time.now += IDLE_S[Role.OPERATOR] / 2 + 1
        last = await browser.get("/ui/history")  # what an open page asks by itself
    assert last.status_code == 303
    assert (await browser.get("/ui")).status_code == 303
    await browser.log_in(OPERATOR)
    await browser.post("/ui/logout", headers=HERE)
    assert (await browser.get("/ui")).status_code == 303


async def test_without_any_credential_loopback_reads_and_nobody_acts(world: World, migration: Migration) -> None:
    async with Browser(world, migration, operator_token=None, reader_token=None) as browser:
        assert [(await browser.get(path)).status_code for path in EVERYWHERE] == [200] * len(EVERYWHERE)
        assert (await browser.get("/ui", headers={"Host": "evil.example"})).status_code == 403
        form = {"unit": "items", "form_token": ""}
        assert (await browser.post("/ui/rollback", data=form, headers=HERE)).status_code == 403


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("/ui/group?unit=a", "/ui/group?unit=a"),
        ("/ui?state=held", "/ui?state=held"),
        ("//evil.example", "/ui"),
        ("https://evil.example/ui", "/ui"),
        ("/uivil", "/ui"),
        ("/ui/\\evil", "/ui"),
        ("/ui/\r\nSet-Cookie: a=b", "/ui"),
        ("/ui/login?next=/ui", "/ui"),
        ("", "/ui"),
    ],
)
def test_after_a_log_in_only_a_page_of_this_gateway_is_opened(given: str, target: str) -> None:
    assert local(given) == target


def test_the_table_of_log_ins_is_bounded_and_the_unused_one_leaves_it() -> None:
    sessions = LoginSessions(lambda: 0.0)
    keys = [sessions.open(Holder("a", Role.READER), "") for _ in range(MAX_SESSIONS)]
    assert sessions.find(keys[0]) is not None
    sessions.open(Holder("b", Role.READER), "")
    assert [sessions.find(keys[0]) is None, sessions.find(keys[1]) is None] == [False, True]


async def test_every_answer_forbids_inline_scripts_frames_and_keeping(browser: Browser) -> None:
    for path in ("/ui/login", "/ui/static/page.css", "/ui/static/nothing", "/ui/nothing"):
        fields = (await browser.get(path)).headers
        if path != "/ui/nothing":
            assert "script-src 'self'; style-src 'self'" in fields["content-security-policy"]
            assert "frame-ancestors 'none'" in fields["content-security-policy"]
    await browser.log_in(OPERATOR)
    answer = await browser.get("/ui")
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "same-origin")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", answer.text)
