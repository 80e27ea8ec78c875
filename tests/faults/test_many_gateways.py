"""Several gateways on a real Consul and a real Redis: the twelve scenarios of docs/many-gateways.md."""

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from parts.fresh import fresh_name
from parts.servers.consul import ConsulServer, own
from tests.faults.gateways_at_random import run as at_random
from tests.support.gateway.many import Many, OneOfMany
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulServer]:
    with own(tmp_path_factory.mktemp("consul")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(server: ConsulServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    with Many(tmp_path_factory.mktemp("many"), server, fresh_name(), 3) as many:
        yield many


@pytest.fixture
def many(cluster: Many) -> Many:
    """In legacy, not on hold, everything connected."""
    cluster.reset()
    return cluster


def forward(many: Many, *, to: str = "canary 10") -> tuple[OneOfMany, OneOfMany, OneOfMany]:
    """The three gateways, and the group at this place."""
    a, b, c = many.gateways
    for state, _, share in [step.partition(" ") for step in ("shadow", to) if step != to or to]:
        done = a.flip(state, float(share) if share else None)
        assert done["done"], done
    many.agree(to)
    return a, b, c


def codes(result: dict[str, Any]) -> set[str]:
    return {refusal["code"] for refusal in result["refusals"]}


def said(result: dict[str, Any]) -> str:
    return "; ".join([*(refusal["message"] for refusal in result["refusals"]), *result["warnings"]])


def test_1_a_rollback_on_a_gateway_that_is_cut_off_wins_over_a_flip_that_did_not_know_of_it(many: Many) -> None:
    a, b, _ = forward(many)
    a.cut()
    many.separate()
    a.rollback()
    assert a.serves == "legacy held"
    flip = b.flip("canary", 20)
    assert flip["done"], flip
    assert "gw1 still serves canary 10 %" in said(flip)
    assert (a.serves, b.serves) == ("legacy held", "canary 20")
    assert "does not answer" in said(a.flip("canary", 30)) or codes(a.flip("shadow")) & {"store", "held"}
    a.heal()
    many.agree("legacy held")
    assert {one.get().status_code for one in many.gateways} == {200}


def test_2_of_two_flips_at_once_one_is_done_and_the_other_one_is_told_by_whom(many: Many) -> None:
    """On a busy machine the late one may get through, or be told of no answer: then they try again."""
    a, b, _ = forward(many)
    first, lost = raced(a, b)
    for _ in range(9):
        knew = first["before"]["share"] == 20  # gw2 was through before gw1 judged
        assert knew or not (first["done"] and lost["done"])
        if first["done"] and "gw1" in said(lost):
            break
        many.reset()
        forward(many)
        first, lost = raced(a, b)
    assert (first["done"], lost["done"]) == (True, False)
    assert "gw1" in said(lost)
    assert "moved items to canary 30 %" in said(lost)
    many.agree("canary 30")


def raced(first: OneOfMany, second: OneOfMany) -> tuple[dict[str, Any], dict[str, Any]]:
    """The second one has judged, and is about to write, when the first one writes."""
    with ThreadPoolExecutor() as pool:
        second.line.up.bytes_per_s = 1000
        late = pool.submit(second.flip, "canary", 20)
        until(lambda: second.writes("PUT /v1/txn"), f"{second.name} has judged, and begins to write", poll_s=0.01)
        done = first.flip("canary", 30)
        second.heal()
        return done, late.result()


@pytest.mark.parametrize("passed_on", [False, True], ids=["a hold nobody saw", "its name passed on"])
def test_3_a_hold_of_a_gateway_that_was_cut_off_holds_until_somebody_has_seen_and_released_it(
    many: Many, passed_on: bool
) -> None:
    a, _, c = forward(many)
    c.cut()
    if not passed_on:
        many.separate()
    c.rollback()
    a.rollback()
    many.heal_admin()
    assert a.release()["done"]
    assert "gw3" in said(a.flip("shadow"))
    assert a.ask("POST", "gateways/forget", name="gw3")[0] == 200
    assert a.flip("shadow")["done"]
    c.heal()
    many.agree("shadow" if passed_on else "legacy held")


def test_4_a_rollback_that_was_answered_outlives_a_kill_without_the_store(many: Many) -> None:
    a, _, _ = forward(many)
    a.cut()
    a.rollback("broken", "ada")
    a.kill()
    a.start()
    assert a.serves == "legacy held"
    assert a.get().status_code == 200
    a.heal()
    many.agree("legacy held")


def test_5_without_its_disk_and_the_store_a_gateway_serves_legacy_and_learns_of_the_hold_later(many: Many) -> None:
    a, _, _ = forward(many)
    a.rollback()
    many.agree("legacy held")
    a.kill()
    a.lose_disk()
    a.cut()
    a.start()
    assert a.serves == "legacy"
    assert codes(a.flip("shadow")) == {"store"}
    a.heal()
    many.agree("legacy held")


def test_6_a_restored_backup_from_before_a_hold_moves_nothing_forward(many: Many) -> None:
    forward(many)
    backup = many.server.snapshot()
    b_hold = many.gateways[1].rollback()
    assert b_hold["held"]
    many.agree("legacy held")
    many.server.restore(backup)

    def back() -> bool:
        assert {one.serves for one in many.gateways} == {"legacy held"}
        stored = many.stored()
        return stored is not None and stored["rolled_back"] != stored["released"]

    until(back, "the hold is back in the store")
    many.agree("legacy held")


def test_7_a_wiped_store_gets_positions_and_holds_again_under_another_id(many: Many) -> None:
    a, _, _ = forward(many)
    before = a.ask("GET", "gateways")[1]["store"]["id"]
    many.server.wipe()
    until(lambda: a.ask("GET", "gateways")[1]["store"]["id"] != before, "another id")
    many.agree("canary 10")
    assert many.stored_position() == {"state": "canary", "share": 10}
    a.rollback()
    many.agree("legacy held")
    many.server.wipe()
    many.agree("legacy held")


def test_8_a_gateway_that_stands_still_is_named_and_stops_the_next_flip(many: Many) -> None:
    a, b, c = forward(many)
    c.suspend()
    first = a.flip("canary", 20)
    assert first["done"]
    assert "gw3 still serves canary 10 % (seen" in said(first)
    second = b.flip("canary", 30)
    assert codes(second) == {"members"}
    assert "gw3 still serves canary 10 %" in said(second)
    assert "`strangler gateways forget gw3` if it is stopped" in said(second)
    c.resume()
    many.agree("canary 20")
    assert b.flip("canary", 30)["done"]


def test_9_a_file_is_a_wish_of_all_gateways_once(many: Many) -> None:
    a, b, _ = many.gateways
    many.write(a, "shadow", salt="nine")
    many.agree("shadow")
    back = a.flip("legacy")
    assert back["done"], said(back)
    many.agree("legacy")
    many.write(b, "shadow", salt="nine")
    assert b.ask("POST", "reload")[1]["moved"] == []
    a.rollback()
    many.agree("legacy held")
    many.write(b, "shadow", salt="ten")
    until(
        lambda: "on hold" in json.dumps(b.ask("GET", "log")[1]["entries"][-1].get("reasons", ())), "the wish is refused"
    )
    assert b.release()["done"]
    many.agree("legacy")
    many.write(a, "shadow", salt="ten")
    assert [one.ask("POST", "reload")[1]["moved"] for one in (a, b)] == [[], []]
    many.agree("legacy")


def test_10_a_driver_that_stood_still_past_its_time_moves_nothing(many: Many) -> None:
    forward(many, to="canary 50")
    until(many.driver, "somebody holds the lease")
    driver = many.driver()
    assert driver is not None
    others = [one for one in many.gateways if one is not driver]
    assert driver.flip("canary", 60, guard_s=600)["done"]
    many.agree("canary 60")
    driver.suspend()
    many.end_sessions()
    assert others[0].flip("canary", 40)["done"]
    many.shop.status = 500
    for user in range(80):
        others[user % 2].get(f"user-{user}")
    driver.resume()
    until(lambda: driver.ask("GET", "gate?unit=items")[1]["guard"]["state"] == "moved", "its guard gives way")
    many.agree("canary 40")


def test_11_a_release_ends_the_holds_that_were_seen_and_moves_nothing(many: Many) -> None:
    a, b, c = forward(many)
    c.cut()
    many.separate()
    a.rollback("one")
    c.rollback("two")
    assert a.release()["done"]
    c.heal()
    many.heal_admin()
    many.agree("legacy held")
    assert b.release()["done"]
    many.agree("legacy")
    time.sleep(0.5)
    assert [one.serves for one in many.gateways] == ["legacy"] * 3
    assert b.flip("shadow")["done"]
    many.agree("shadow")


def test_12_counters_that_are_lost_let_nothing_pass_and_a_journal_that_cannot_be_written_neither(many: Many) -> None:
    a, b, _ = many.gateways
    assert a.flip("shadow")["done"]
    many.agree("shadow")
    until(lambda: "counters" not in codes(a.flip("canary", 10, force=False, dry_run=True)), "all count together")
    for _ in range(600):
        a.get()
    until(lambda: a.flip("canary", 10, force=False, dry_run=True)["done"], "the gate passes")
    many.shop.answer = {"side": "another"}
    b.get()
    b.kill()
    missing = a.flip("canary", 10, force=False)
    assert codes(missing) == {"counters"}
    assert "no counters from gw2" in said(missing)
    many.shop.answer = many.monolith.answer
    b.start()
    lost = a.flip("canary", 10, force=False)
    assert not lost["done"]
    assert "gw2" in said(lost)
    assert a.flip("canary", 10, force=False)["refusals"][0]["code"] in ("wait", "counters", "not_compared")
    journal = a.state / "journal.jsonl"
    journal.rename(a.state / "kept")
    journal.mkdir()
    assert "journal" in codes(a.flip("canary", 10))
    assert "in memory" in said(a.rollback())
    journal.rmdir()
    (a.state / "kept").rename(journal)
    many.agree("legacy held")


def test_a_retire_report_names_the_processes_of_all_gateways_and_is_no_proof_while_one_is_silent(many: Many) -> None:
    a, b, c = forward(many, to="canary 100")
    assert a.flip("extracted")["done"]
    many.agree("extracted")
    status, made = b.ask("GET", "retire-report?unit=items")
    assert (status, sorted(made["report"]["gateways"])) == (200, ["gw1", "gw2", "gw3"])
    refused = a.ask("POST", "flip", unit="items", to="retired", why="early", report=made)
    assert (refused[0], codes(refused[1]) >= {"legacy_traffic", "report"}) == (409, True), refused
    c.suspend()
    try:
        _, made = b.ask("GET", "retire-report?unit=items")
    finally:
        c.resume()
    assert "no counters from gw3" in " ".join(made["report"]["missing"])


def test_one_command_rolls_back_gateways_that_reach_nobody_and_one_release_ends_it(many: Many) -> None:
    a, b, c = forward(many)
    for one in many.gateways:
        one.cut()
    many.separate()
    told = a.command("rollback", "items", "--admin", ",".join(one.admin for one in many.gateways))
    assert "rolled back on gw1, gw2, gw3\n" in told.stdout, told
    assert [one.serves for one in many.gateways] == ["legacy held"] * 3
    for one in many.gateways:
        one.heal()
    many.heal_admin()
    many.agree("legacy held")
    assert c.release()["done"]
    many.agree("legacy")
    assert b.flip("shadow")["done"]


def test_a_second_gateway_of_a_name_that_is_taken_does_not_start(many: Many) -> None:
    a, b, _ = many.gateways
    b.stop()
    b.environ = {**b.environ, "STRANGLER_MEMBER": "gw1"}
    try:
        with pytest.raises(AssertionError, match="another gateway is called gw1, too, and runs at"):
            b.start()
    finally:
        b.environ = {**b.environ, "STRANGLER_MEMBER": "gw2"}
        b.start()
    many.agree("legacy")
    assert a.flip("shadow")["done"]


def test_a_step_that_falls_due_while_consul_stands_still_is_made_once_when_it_goes_on(many: Many) -> None:
    for one in many.gateways:
        many.write(one, plan="auto: true, steps: [shadow, canary 50%]")
    try:
        many.agree("shadow")
        driver = until(many.driver, "one has the lease")
        assert driver is not None
        until(lambda: drivers(many) == [driver.name], "who has the lease makes the moves")
        many.server.suspend()
        until(lambda: drivers(many) == [], "nothing moves by itself")
        for number in range(12):
            many.gateways[number % 3].get()
        until(lambda: not plan_of(driver)["waits"], "the step is due")
        due = plan_of(driver)["spent_s"]
        until(lambda: plan_of(driver)["spent_s"] > due + 2, "time goes by")
        assert [one.serves for one in many.gateways] == ["shadow"] * 3
        many.server.resume()
        many.agree("canary 50")
        for one in many.gateways:
            entries = one.ask("GET", "log")[1]["entries"]
            assert [entry["after"]["state"] for entry in entries if entry["who"] == "plan"] == ["shadow", "canary"]
    finally:
        many.server.resume()
        for one in many.gateways:
            one.rollback()
            many.write(one)
        until(lambda: {one.ask("GET", "plans/items")[0] for one in many.gateways} == {404}, "there is no plan")


def test_a_service_that_fails_is_rolled_back_on_all_gateways_once_and_the_page_of_each_shows_it(many: Many) -> None:
    for one in many.gateways:
        many.write(one, plan="steps: [shadow, canary 50%, extracted]")
    until(lambda: {one.ask("GET", "plans/items")[0] for one in many.gateways} == {200}, "all have the plan")
    began = many.gateways[0].ask("GET", "log")[1]["entries"][-1]["time"]
    forward(many, to="canary 50")
    many.shop.fails_every = 5
    users = map(str, itertools.count())
    end = time.monotonic() + 120
    with ThreadPoolExecutor(4) as pool:
        while {one.serves for one in many.gateways} != {"legacy held"}:
            assert time.monotonic() < end, [one.running.lines[-5:] for one in many.gateways]
            list(pool.map(OneOfMany.get, many.gateways * 8, itertools.islice(users, 24)))
    many.agree("legacy held")
    moves = []
    for one in many.gateways:
        entries = [entry for entry in one.ask("GET", "log")[1]["entries"] if entry["time"] > began]
        [back] = [
            entry for entry in entries if entry["after"]["state"] == "legacy" and entry["before"] != entry["after"]
        ]
        moves.append((back["event"], "plan" in back["who"]))
        assert overview(one)["totals"]["held"] == 1
        page = one.page("/ui/group?unit=items")
        assert "On hold" in page
        assert "automatic" in page
    assert sorted(moves) == [("rollback", True), ("store", True), ("store", True)]
    for one in many.gateways:
        many.write(one)


def overview(one: OneOfMany) -> dict[str, Any]:
    """Of a moment when all gateways tell their counters: one that is busy may be late."""

    def whole() -> dict[str, Any]:
        seen = one.ask("GET", "overview")[1]
        return {} if seen["problems"] else seen

    return until(whole, "the counters of all gateways")


def plan_of(one: OneOfMany) -> dict[str, Any]:
    return one.ask("GET", "plans/items")[1]


def drivers(many: Many) -> list[str]:
    """Who makes the moves of plans."""
    return [one.name for one in many.gateways if plan_of(one)["problem"] is None]


def test_what_people_are_shown_is_the_sum_over_all_gateways_and_says_who_is_missing(many: Many) -> None:
    a, b, c = many.gateways
    assert a.flip("shadow", guard_s=600)["done"]
    many.agree("shadow")
    assert "UTC by the gateway gw1: at an alarm it goes back by itself" in b.page("/ui/group?unit=items")
    assert "UTC: at an alarm it goes back by itself" in a.page("/ui/group?unit=items")
    before, users = a.counted(), a.legacy_users()
    many.shop.answer = {"side": "another"}
    for one, times in ((a, 2), (b, 3), (c, 4)):
        for _ in range(times):
            one.get("one who is new")
    until(lambda: b.counted().compared - before.compared == 9, "shadow has compared everything")
    assert b.counted().legacy - before.legacy == 9
    [kind] = b.ask("GET", "differences?route=item")[1]["differences"]
    assert kind["count"] >= 9
    assert users <= b.legacy_users() <= users + 2, "one user, whom a sketch of hundreds counts as none, one or two"
    c.admin_line.refuses = True
    c.admin_line.cut()
    shown = b.ask("GET", "routes")[1]
    evidence = b.ask("GET", "groups/items/evidence")[1]
    for problems in (shown["silent"], evidence["problems"], b.ask("GET", "inventory")[1]["silent"]):
        assert [sentence[:22] for sentence in problems] == ["no counters from gw3 s"]
    assert shown["routes"][0]["requests"]["legacy"] == a.own_requests() + b.own_requests()
    c.cut()
    assert a.flip("legacy")["done"]
    assert "items: gw3 still serves shadow (seen" in a.command("routes").stdout
    c.kill()
    c.start()
    assert "shadow (unconfirmed)" in (told := c.command("routes").stdout)
    assert "nothing but a rollback moves through this gateway" in told


def test_at_random_no_hold_is_lost_and_nothing_moves_forward_by_itself(tmp_path: Path) -> None:
    """The command of tests/faults/gateways_at_random.py does the same for a minute."""
    counts = at_random(tmp_path, steps=250, duration_s=15, seed=7)
    assert min(counts["flips"], counts["rollbacks"], counts["rests"]) > 0
