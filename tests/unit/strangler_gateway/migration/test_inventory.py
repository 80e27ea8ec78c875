"""`strangler inventory`: what is still to do, by requests and by users."""

import json

import pytest
from typer.testing import CliRunner

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from strangler_gateway.cli.app import app
from strangler_gateway.migration.inventory import inventory
from strangler_gateway.steps.decide import Decide
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.telemetry.user_sketch import MOST, Users, united
from tests.support.gateway.administered import READER, AdminServer
from tests.support.gateway.exchanges import decided, exchange, gateway_for, route, step

DAY = 86_400.0


def told(server: AdminServer, *words: str) -> str:
    environ = {"STRANGLER_ADMIN_TOKEN": READER, "COLUMNS": "200"}
    result = CliRunner().invoke(app, ["inventory", "--admin", server.url, *words], env=environ)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_shows_sides_users_silence_and_strangers_also_as_json(server: AdminServer) -> None:
    shown, nobody = json.loads(told(server, "--json")), {"legacy": 0, "extracted": 0}
    assert shown["total"] == {"requests": nobody, "users": nobody, "share": None}
    assert shown["without_traffic"] == ["item-read", "order-write", "search"]
    assert shown["routes"][0]["days_since_legacy"] is None
    stats = server.world.stats
    item = stats.route("item-read")
    item.legacy, item.extracted, item.last_legacy_at = 30, 10, stats.wall() - 3 * DAY
    item.users_legacy = Users()
    item.users_legacy.add(hash("ada"))
    stats.undeclared["GET /old/{}"] = 7
    text = told(server)
    [row] = [line for line in text.splitlines() if line.startswith("item-read")]
    assert " ".join(row.split()) == "item-read GET /item/{id} legacy 30 10 25 % 1 0 3 days ago"
    assert "declared, without traffic: order-write, search\n" in text
    assert "7  GET /old/{}" in text


def test_users_are_counted_once_a_side_by_identity_else_by_credential() -> None:
    gateway = gateway_for(route(MigrationState.CANARY, share=5_000))
    stats = Stats()
    callers = [Identity(AuthenticationOutcome.USER, f"user-{n}") for n in range(50)]
    for identity in (*callers, *callers, NOBODY):
        stats.count(decided(gateway, {"Authorization": "Bearer changes-with-each-login"}, identity), 0.001)
    for token in ("Bearer a", "Bearer b", "Bearer a"):
        x = exchange(gateway, {"Authorization": token})
        step(gateway, Decide, x)
        stats.count(x, 0.001)
    users = inventory(gateway.current.table, stats)["total"]["users"]
    assert users["extracted"] + users["legacy"] == pytest.approx(52, abs=2)
    assert 15 < users["extracted"] < 35


def test_a_route_that_only_the_gateway_answered_is_not_silent() -> None:
    gateway = gateway_for(route())
    gateway.outside.stats.count(exchange(gateway), 0.001)
    assert inventory(gateway.current.table, gateway.outside.stats)["without_traffic"] == []


@pytest.mark.parametrize("number", [0, 1, 100, 10_000])
def test_the_estimate_is_near(number: int) -> None:
    users = Users()
    for n in range(2 * number):
        users.add(hash(f"user {n % number}"))
    assert users.number == pytest.approx(number, rel=0.05)


def test_whoever_is_on_two_routes_is_one_user_and_too_many_are_many() -> None:
    one, other, full = Users(), Users(), Users()
    for n in range(100):
        one.add(hash(f"{n}"))
        other.add(hash(f"{n + 50}"))
    for n in range(400_000):
        full.add(hash(n.to_bytes(4, "big")))
    assert united((one, other)) == pytest.approx(150, rel=0.05)
    assert united(()) == 0
    assert full.number == MOST
