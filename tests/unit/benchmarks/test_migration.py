"""The gateway's configuration in the benchmark: as busy as the comparison claims."""

from benchmarks.common.migration import KEY_ENV, TARGET, new_caller, routes_yaml
from strangler_gateway.config.file import load
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import MigrationState


def test_the_benchmark_asks_for_one_of_at_least_45_routes_on_which_every_step_has_work() -> None:
    table = load(routes_yaml(8001, 8002), {KEY_ENV: new_caller().key})
    route, variables = Matcher(table).match(b"GET", TARGET.encode())
    assert len(table.routes) >= 45
    assert (route.id, variables) == ("item-read", (b"4711",))
    assert [rules.kind for rules in table.identity] == ["jwt"]
    assert (route.movable.state, route.movable.share) == (MigrationState.CANARY, 10_000)
    assert route.limit is not None
    assert route.extracted is not None


def test_no_two_callers_share_a_key() -> None:
    assert new_caller().key != new_caller().key
