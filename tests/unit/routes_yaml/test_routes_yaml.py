"""routes.yaml of this repository: every route of the monolith is declared, in each spelling that the monolith takes."""

import time
import timeit
from pathlib import Path

import pytest

from chassis.messaging.topology import load
from extracted.account.purchases.domain.purchase import RequestOutcome
from strangler_gateway.config.checks.check import check_text
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.rules.move_rules import refusals
from strangler_gateway.migration.rules.preflight import evidence
from strangler_gateway.migration.states import Move
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.telemetry.stats import Stats

HERE = Path(__file__).parent
TEXT = (HERE.parents[2] / "routes.yaml").read_text(encoding="utf-8")
ROUTES = [tuple(line.split()) for line in (HERE / "monolith.txt").read_text(encoding="utf-8").splitlines()[1:]]
EXTRACTED = {
    ("shop", "items"): "item-list item-read item-bought item-create item-change item-delete "
    "item-quantity-read item-quantity-set",
    ("shop", "purchases"): "transaction-list",
    ("shop", "overview"): "my-items",
    ("account", "sign-in"): "login logout",
    ("account", "users"): "user-create user-list user-read user-change user-delete user-teams "
    "email-list email-add email-delete email-validate email-resend settings-read settings-change settings-reset",
    ("account", "teams"): "team-create team-list team-read team-change team-delete member-add member-remove",
    ("account", "platform"): "health metrics everything-else",
    ("account", "points"): "item-buy purchase-read",
    ("learning", "learning"): "module-create module-list module-read module-change module-delete "
    "content-create content-list content-read content-replace content-delete submission-validate submission-read",
    ("learning", "points"): "submission-create",
}
"""Service and group → routes."""
ID = "5F0c64e1-9B1d-4a57-8f3e-2d1c0b9a8e7f"


@pytest.fixture(scope="module")
def it() -> Matcher:
    report = check_text(TEXT, {})
    assert (report.faults, report.warnings) == ((), ())
    assert report.table is not None
    return Matcher(report.table)


def asked(path: str) -> str:
    return "/".join(ID if piece.startswith("{") else piece for piece in path.split("/"))


def spellings(path: str) -> list[str]:
    """Express 4 ignores case and one trailing slash; ids keep their case in the handler."""
    cases = [asked(path), asked(path.upper()), asked(path.title()), asked(path.swapcase())]
    return cases + [f"{spelling}/" for spelling in cases]


def refused_spellings(path: str) -> list[str]:
    """What Express 4 answers with 404."""
    plain = asked(path)
    return [f"{plain}//", f"/{plain}", f"{plain}/x/y/z", "/%" + f"{ord(plain[1]):02x}" + plain[2:]]


def test_the_list_is_the_whole_monolith() -> None:
    assert len(ROUTES) == len(set(ROUTES)) == 45


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_each_spelling_that_the_monolith_takes_reaches_the_same_declared_route(
    it: Matcher, method: str, path: str
) -> None:
    taken = {it.match(method.encode(), spelling.encode()) for spelling in spellings(path)}
    assert len(taken) == 1
    route, variables = taken.pop()
    assert (route.path, route.undeclared) == (path, False)
    assert variables == (ID.encode(),) * path.count("{")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_spellings_that_the_monolith_refuses_stay_with_it_as_undeclared(it: Matcher, method: str, path: str) -> None:
    for spelling in refused_spellings(path):
        route, _ = it.match(method.encode(), spelling.encode())
        assert route.undeclared, spelling


def test_head_follows_every_get(it: Matcher) -> None:
    gets = [path for method, path in ROUTES if method == "GET"]
    assert [it.match(b"HEAD", asked(path).encode())[0].path for path in gets] == gets


def test_a_match_costs_microseconds(it: Matcher) -> None:
    asked_for = [(method.encode(), asked(path).encode()) for method, path in ROUTES]

    def every_route() -> None:
        for method, path in asked_for:
            it.match(method, path)

    seconds = min(timeit.repeat(every_route, timer=time.process_time, number=20, repeat=10)) / (20 * len(ROUTES))
    assert seconds < 5e-6  # about 0.8 on an idle machine


def test_nothing_has_moved_and_what_is_extracted_can(it: Matcher) -> None:
    table = it.table
    moved = {name: unit.state for name, unit in table.movables.items() if unit.state is not MigrationState.LEGACY}
    assert moved == {"overview": MigrationState.EXTRACTED}
    assert {route.new for route in table.routes if route.movable.name == "overview"} == {True}
    assert [route.id for route in table.routes if route.aggregate] == ["me-overview"]
    movable = {(service.name, route.movable.name, route.id) for route in table.routes if (service := route.extracted)}
    assert movable == {(service, group, route) for (service, group), ids in EXTRACTED.items() for route in ids.split()}
    assert [(route.id, str(route.publish)) for route in table.routes if route.publish] == [
        ("purchase-create", "message purchase.requested.v1 to purchases")
    ]


def test_of_what_the_monolith_has_and_is_extracted_exactly_the_reads_are_compared(it: Matcher) -> None:
    extracted = [route for route in it.table.routes if route.extracted and not route.new]
    reads = {r.id for r in extracted if r.methods == frozenset({b"GET"})}
    assert {route.id for route in extracted if route.shadow} == reads - {"metrics"} | {"everything-else"}


def test_keycloak_is_one_switch_and_without_it_the_monoliths_tokens_alone_count(it: Matcher) -> None:
    assert [rules.kind for rules in it.table.identity] == ["plugin"]
    given = {"KEYCLOAK_ENABLED": "true", "KEYCLOAK_URL": "https://id.example", "KEYCLOAK_REALM": "r"}
    report = check_text(TEXT, given | {"ACCOUNT_URL": "http://account:1"})
    assert (report.faults, report.warnings) == ((), ())
    assert report.table is not None
    keycloak, plugin = report.table.identity
    assert (keycloak.kind, plugin) == ("jwt", it.table.identity[0])
    options = dict(keycloak.options)
    assert options["issuer"] == "https://id.example/realms/r"
    assert options["jwks_url"] == "https://id.example/realms/r/protocol/openid-connect/certs"
    assert (options["azp"], options["typ"], options["user"]) == (["polycode"], "Bearer", "preferred_username")
    assert options["confirm"]["url"] == "http://account:1/internal/identity"  # type: ignore[index]  # a mapping
    assert options["exchange"]["url"] == "http://account:1/internal/credentials"  # type: ignore[index]  # a mapping
    assert report.table.services["monolith"].credentials == "exchange"


def test_a_service_answers_those_whom_it_refuses_itself(it: Matcher) -> None:
    assert {route.auth.enforce for route in it.table.routes if route.extracted} == {"upstream"}


def test_points_may_skip_shadow_since_nothing_in_it_can_be_compared(it: Matcher) -> None:
    unit = it.table.movables["points"]
    known = evidence(it.table, unit, Standing(), Stats(), lambda _: [], 0.0)
    move = Move("points", position_of(unit), Position(MigrationState.CANARY, 500), "its first users")
    assert refusals(move, known) == ()


def test_what_is_published_reaches_a_queue_of_the_topology(it: Matcher) -> None:
    topology = load(HERE.parents[2] / "extracted" / "topology.yaml")
    rules = next(route.publish for route in it.table.routes if route.publish)
    queue = next(queue for queue in topology.queues if queue.name == rules.queue)
    assert (queue.exchange, rules.type in queue.types) == (rules.exchange, True)
    assert "gateway" in topology.writers[rules.exchange]
    assert "account" in topology.writers[rules.replies]


def test_every_word_that_the_consumer_has_for_a_purchase_has_its_answer(it: Matcher) -> None:
    rules = next(route.publish for route in it.table.routes if route.publish)
    assert {outcome.word for outcome in rules.outcomes} == set(RequestOutcome)


def test_what_the_monolith_never_had_is_not_in_the_list_of_its_routes(it: Matcher) -> None:
    new = {(method.decode(), route.path) for route in it.table.routes if route.new for method in route.methods or ()}
    quantity = "/item/{id}/quantity"
    own = {("GET", "/me/overview"), ("GET", "/me/items")}
    bought = {("POST", "/purchases"), ("GET", "/purchases/{id}"), ("GET", quantity), ("PUT", quantity)}
    assert new == {("POST", "/auth/logout")} | bought | own
    assert not new & set(ROUTES)


def test_addresses_come_from_the_environment() -> None:
    table = check_text(TEXT, {"MONOLITH_URL": "http://10.0.0.1:80", "SHOP_URL": "https://shop:8443"}).table
    assert table is not None
    assert [table.services[name].authority for name in ("monolith", "shop")] == [b"10.0.0.1", b"shop:8443"]
