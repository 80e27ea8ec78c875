"""The page as people use it: reads, moves, refusals, rollback, updates, log-in, without JavaScript, under attack."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from strangler_gateway.page.texts import element
from tests.page.conftest import PICTURES, QueueService, Visit
from tests.support.gateway.administered import OPERATOR, READER, AdminServer

pytestmark = pytest.mark.page

AXE = Path(__file__).parent / "axe/axe.min.js"
GROUP = "/ui/group?unit=items"
PAGES = {
    "overview": "/ui",
    "group": GROUP,
    "move": "/ui/move?unit=items&to=shadow",
    "services": "/ui/services",
    "queue": "/ui/queue?service=letters&queue=letters&id=letter-7&action=retry",
    "request": "/ui/request?method=GET&path=/item/3&user=u1",
    "journal": "/ui/journal",
}
NEW_ROUTE = "  - {id: new, group: new-items, match: {path: /new}, legacy: monolith, extracted: items}\n"
EVIL = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>{{7*7}}"


def move(page: Page, to: str, why: str = "it is time") -> None:
    """From the group's page through the preflight."""
    page.click(f"#next a:text-is('{to}')")
    page.fill("[name=why]", why)
    page.click(".confirm button")


def row(page: Page, name: str = "items") -> Any:
    return page.locator("table.groups tr", has=page.locator(f"a:text-is('{name}')"))


def test_an_operator_sees_the_preflight_moves_is_refused_and_rolls_back(visit: Visit) -> None:
    page = visit.open(GROUP)
    page.click("#next a:text-is('shadow')")
    expect(page.locator("#preflight")).to_contain_text("Allowed. Nothing has been moved yet.")
    assert str(visit.server.migration.served.movables["items"].state) == "legacy"
    page.fill("[name=why]", "it is time")
    page.select_option("[name=guard_s]", "600")
    page.click(".confirm button")
    expect(page.locator(".notice")).to_have_text("items is now at shadow.")
    expect(page.locator("#standing")).to_contain_text("at an alarm it goes back by itself")
    visit.server.world.compared(different=3)
    visit.server.world.down.add("items")
    page.click("#next a:text-is('canary 10 %')")
    expect(page.locator(".reasons")).to_contain_text("items accepts no connection")
    page.fill("[name=why]", "never mind")
    page.click(".confirm button")  # the box that forces it is required
    assert page.url.endswith("/ui/move?unit=items&to=canary&share=10")
    page.go_back()
    page.fill("form[action='/ui/rollback'] [name=why]", "users complain")
    page.click("text=Roll back to legacy")
    expect(page.locator(".notice")).to_have_text("items is now at legacy, on hold.")
    expect(page.locator("#standing")).not_to_contain_text("at an alarm")
    entry = visit.server.world.last()
    assert (entry.event, entry.why, entry.who) == ("rollback", "users complain", "Ada (127.0.0.1)")
    page.click("text=Release the hold")
    expect(page.locator(".hold")).to_have_count(0)


def test_an_open_page_shows_a_move_of_somebody_else_by_itself(visit: Visit) -> None:
    watching = [visit.open("/ui", as_=READER), visit.open(GROUP, as_=READER)]
    for page in watching:
        expect(page.locator("#live")).to_have_text("live")
    acting = visit.open("/ui/move?unit=items&to=shadow")
    acting.fill("[name=why]", "look")
    acting.click(".confirm button")
    expect(row(watching[0]).locator(".badge")).to_have_text("shadow")
    expect(watching[1].locator("#standing .badge")).to_have_text("shadow")
    expect(watching[1].locator("#journal")).to_contain_text("look")
    expect(watching[1].locator("#next")).to_contain_text("canary 10 %")


def test_the_buttons_of_an_open_page_follow_what_others_do_and_what_is_typed_stays(visit: Visit) -> None:
    page, reader, other = visit.open(GROUP), visit.open(GROUP, as_=READER), visit.open(GROUP)
    expect(page.locator("#live")).to_have_text("live")
    page.fill("form[action='/ui/plan'] [name=why]", "half a sent")
    page.focus("#plan-advance")
    other.click("#plan-pause")
    expect(page.locator("#plan-resume")).to_be_visible()
    expect(page.locator("#plan-pause")).to_have_count(0)
    move(other, "shadow")
    expect(page.locator("#plan-advance")).to_have_text("Advance to canary 10 %")
    assert page.evaluate("document.activeElement.id") == "plan-advance"
    assert page.input_value("form[action='/ui/plan'] [name=why]") == "half a sent"
    other.click("text=Roll back to legacy")
    page.fill("#release [name=why]", "mended")
    page.click("text=Release the hold")
    expect(other.locator("#release button")).to_have_count(0)
    expect(other.locator("#plan-advance")).to_have_text("Advance to shadow")
    expect(reader.locator("#journal")).to_contain_text("mended")
    assert reader.locator("main button").count() == 0


def test_a_filtered_overview_follows_and_shows_what_its_filter_wants_now(visit: Visit) -> None:
    filtered, held = visit.open("/ui?q=item", as_=READER), visit.open("/ui?state=held", as_=READER)
    everything = visit.open("/ui", as_=READER)
    expect(held.locator("table.groups")).to_contain_text("No group matches.")
    acting = visit.open(GROUP)
    acting.click("text=Roll back to legacy")
    expect(row(held).locator(".held")).to_have_text("held")
    expect(row(filtered).locator(".held")).to_have_text("held")
    assert filtered.locator("table.groups tbody tr").count() == 1
    acting.click("text=Release the hold")
    expect(held.locator("table.groups")).to_contain_text("No group matches.")
    visit.server.world.edit("  orders:\n", "  new-items: {state: legacy}\n  orders:\n")
    visit.server.world.edit("  - id: order-write\n", NEW_ROUTE + "  - id: order-write\n")
    operator = {"Authorization": f"Bearer {OPERATOR}"}
    assert httpx.post(f"{visit.server.url}/reload", headers=operator).is_success
    for page in (filtered, everything):
        expect(row(page, "new-items")).to_be_visible()
    assert filtered.locator("table.groups tbody tr").count() == 2


def test_what_somebody_types_and_has_opened_stays_while_the_page_follows(visit: Visit) -> None:
    page, other = visit.open(GROUP), visit.open(GROUP)
    move(other, "shadow")
    page.fill("form[action='/ui/rollback'] [name=why]", "half a sent")
    page.locator("#rules summary").first.click()
    before = page.locator("#r-" + element("item-read")).inner_text()
    expect(page.locator("#r-" + element("item-read"))).not_to_have_text(before)
    expect(page.locator("#rules details").first).to_have_attribute("open", "")
    assert page.input_value("form[action='/ui/rollback'] [name=why]") == "half a sent"


def test_differences_and_undeclared_traffic_come_to_an_open_page_and_what_is_unfolded_stays(visit: Visit) -> None:
    world = visit.server.world
    page, overview = visit.open(GROUP, as_=READER), visit.open("/ui", as_=READER)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#differences")).to_have_text("None kept.")
    expect(overview.locator("#undeclared")).to_contain_text("None")
    for place, count in {"price": 1, "name": 2}.items():  # the more frequent stands first; one alone is unfolded
        difference = {"where": f"$.data.{place}", "legacy": "number", "extracted": "string"}
        seen = {"at": 1.0, "method": "GET", "path": "/item/{id}", "differences": [difference], "count": count}
        world.examples = {"item-read": [*world.examples.get("item-read", ()), seen]}
        world.compared(different=count)
        expect(page.locator("#differences summary", has_text=place)).to_be_visible()
    expect(page.get_by_role("region", name="Examples of price")).to_be_visible()
    expect(page.get_by_role("region", name="Examples of name")).to_be_hidden()
    world.stats.count_shape("GET /old/{}")
    expect(overview.locator("#undeclared")).to_contain_text("GET /old/{}")


def test_two_operators_at_once_each_see_what_became_of_their_own_wish(visit: Visit) -> None:
    ada, bob = visit.open("/ui/move?unit=items&to=shadow"), visit.open("/ui/move?unit=items&to=shadow", name="Bob")
    for page in (ada, bob):
        page.fill("[name=why]", "me first")
    ada.click(".confirm button")
    expect(ada.locator(".notice")).to_have_text("items is now at shadow.")
    bob.click(".confirm button")
    expect(bob.locator(".notice")).to_contain_text("items is now at shadow")
    assert [entry.event for entry in visit.server.world.journal() if entry.unit == "items"] == ["adopted", "flip"]
    bob.fill("form[action='/ui/rollback'] [name=why]", "no")
    bob.click("text=Roll back to legacy")
    move_to = ada.locator("#standing .badge")
    expect(move_to).to_have_text("legacy")


def test_a_log_in_that_has_ended_leads_to_the_form_and_back(visit: Visit) -> None:
    page = visit.open(GROUP)
    expect(page.locator("#live")).to_have_text("live")
    visit.server.later_s += 13 * 3600
    page.wait_for_url("**/ui/login?next=*", timeout=60_000)  # the open page finds out by itself
    page.fill("[name=credential]", READER)
    page.click("main button")
    page.wait_for_url(f"**{GROUP}")
    expect(page.locator(".actions")).to_contain_text("Readers look")
    expect(page.locator("text=Roll back to legacy")).to_have_count(0)


def test_an_open_page_finds_its_way_after_a_restart_of_the_gateway(visit: Visit) -> None:
    page = visit.open(GROUP)
    expect(page.locator("#live")).to_have_text("live")
    visit.server.end_at_once()
    expect(page.locator("#live")).to_have_text("reconnecting")
    again = AdminServer(visit.server.world.folder)
    again.port = visit.server.port
    with again:
        page.wait_for_url("**/ui/login?next=*")  # a restart has ended all log-ins
        visit.complaints.clear()  # of the time without a gateway
        page.fill("[name=credential]", OPERATOR)
        page.click("main button")
        expect(page.locator("#live")).to_have_text("live")
        assert page.url.endswith(GROUP)
        page.context.close()


def test_everything_works_without_javascript(visit: Visit) -> None:
    page = visit.open(GROUP, java_script_enabled=False)
    move(page, "shadow")
    expect(page.locator(".notice")).to_have_text("items is now at shadow.")
    page.click("text=Roll back to legacy")
    expect(page.locator(".hold")).to_contain_text("On hold")
    page.click("nav a:text-is('Request')")
    page.fill("[name=path]", "/item/3")
    page.click("main button")
    expect(page.locator(".answer")).to_contain_text("monolith")
    page.goto(visit.server.url + "/ui")
    page.select_option("[name=state]", "held")
    page.click("text=Filter")
    expect(page.locator("table.groups tbody tr")).to_have_count(1)
    page.locator("figure summary").first.click()
    assert page.locator("figure table tbody tr").count() >= 1
    page.click("text=Log out")
    page.wait_for_url("**/ui/login*")


def test_nothing_that_others_say_becomes_a_part_of_the_page(visit: Visit) -> None:
    world = visit.server.world
    world.stats.count_shape(f"GET /{EVIL}")
    difference = {"where": f"$.a.{EVIL}", "legacy": EVIL, "extracted": EVIL}
    world.examples = {
        "item-read": [{"at": 1.0, "method": "GET", "path": f"/item/{EVIL}", "differences": [difference], "count": 3}]
    }
    world.down.add("items")
    page = visit.open(GROUP, name=EVIL)
    page.fill("form[action='/ui/rollback'] [name=why]", f"{EVIL}\u202e{'w' * 300}")
    page.click("text=Roll back to legacy")
    page.set_viewport_size({"width": 390, "height": 800})
    for each in (*PAGES.values(), f"/ui/journal?unit={EVIL}", f"/ui/request?path=/{EVIL}&user={EVIL}&method={EVIL}"):
        page.goto(visit.server.url + each)
        page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert page.locator("img, script:not([src]), [onerror], [style]:not(.uplot, .uplot *)").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{each} is wider than a narrow screen"
    page.goto(visit.server.url + GROUP)
    expect(page.locator(".tree")).to_contain_text(EVIL)
    assert "49" not in page.locator(".tree").inner_text()
    expect(page.locator("#live")).to_have_text("live")
    world.now += 60
    expect(page.locator("#journal")).to_contain_text(EVIL)


def test_a_script_that_is_not_the_pages_own_is_not_run(visit: Visit) -> None:
    page = visit.open(GROUP)
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.run = 1'; document.body.append(s)"
    )
    assert page.evaluate("window.run === undefined")
    assert len(visit.complaints) == 1
    assert "Content Security Policy" in visit.complaints.pop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_for_people_who_see_or_hear_it_otherwise(visit: Visit, scheme: Any) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    world = visit.server.world
    difference = {"where": "$.data.price", "legacy": "number", "extracted": "string"}
    world.examples = {
        "item-read": [{"at": 1.0, "method": "GET", "path": "/item/{id}", "differences": [difference], "count": 3}]
    }
    world.stats.count_shape("GET /old/{}")
    page = visit.open(GROUP, color_scheme=scheme)
    move(page, "shadow")
    found: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        page.goto(visit.server.url + path)
        if page.locator("figure").count():
            page.wait_for_selector(".u-legend")
        page.evaluate(AXE.read_text() + "; 0")
        answer = page.evaluate("axe.run()")
        serious = [one for one in answer["violations"] if one["impact"] in ("serious", "critical")]
        found[name] = [f"{one['id']}: {node['html'][:200]}" for one in serious for node in one["nodes"][:3]]
        page.screenshot(path=PICTURES / f"{name}-{scheme}.png", full_page=True)
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} is wider than a narrow screen"
        page.screenshot(path=PICTURES / f"{name}-{scheme}-narrow.png", full_page=True)
        page.set_viewport_size({"width": 1280, "height": 900})
    assert found == {name: [] for name in PAGES}


def test_what_is_parked_in_a_service_is_retried_after_a_warning_and_a_why(visit: Visit, letters: QueueService) -> None:
    reader = visit.open("/ui/services", as_=READER)
    reader.click("text=letters: 1 parked")
    expect(reader.locator("section[aria-label=letters]")).to_contain_text("1 h 6 min")
    assert reader.locator("text=retry").count() == 0
    page = visit.open("/ui/services", java_script_enabled=False)
    page.click("text=letters: 1 parked")
    page.click("a:text-is('retry')")
    expect(page.locator("main")).to_contain_text("It may arrive twice.")
    page.fill("[name=why]", "not in the log")
    page.click(".confirm button")
    expect(page.locator(".notice")).to_have_text("retry of letter-7 in letters of letters: done.")
    assert letters.acted == [("/letters/letter-7/again", {"why": "not in the log", "by": "Ada (127.0.0.1)"})]
    page.go_back()  # nothing is stored: the page is asked for anew
    expect(page.locator("[role=alert]")).to_contain_text("not parked in letters (any more)")
    assert len(letters.acted) == 1
    assert visit.complaints.pop() == "409 /ui/queue?service=letters&queue=letters&id=letter-7&action=retry"


def test_a_pasted_link_leads_through_the_log_in_to_the_same_state_of_the_page(visit: Visit) -> None:
    path = "/ui?q=item&state=legacy&span=days"
    page = visit.open(path, java_script_enabled=False)
    assert page.url.endswith(path)
    assert page.locator("table.groups tbody tr").count() == 1
    expect(page.locator(".spans [aria-current]")).to_have_text("90 days")
    page.click("table.groups a:text-is('items')")
    page.go_back()
    assert page.input_value("[name=q]") == "item"
    page.goto(visit.server.url + "/ui/group?unit=everything-else")
    expect(page.locator(".actions")).to_contain_text("It stays on the monolith")
    page.goto(visit.server.url + "/ui/group?unit=nobody")
    expect(page.locator("h1")).to_have_text("Not found")
    assert visit.complaints.pop() == "404 /ui/group?unit=nobody"


def test_the_keyboard_reaches_the_content_and_every_action(visit: Visit) -> None:
    page = visit.open(GROUP)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"shadow", "Roll back to legacy"} <= set(reached)


def test_the_first_page_is_small(visit: Visit) -> None:
    page = visit.open()
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".filter((one) => !one.name.includes('/live')).map((one) => one.decodedBodySize)"
    )
    assert 50_000 < sum(sizes) < 150_000
    assert not re.search(r"https?://(?!127\.0\.0\.1)", page.content())
