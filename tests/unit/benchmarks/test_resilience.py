"""What is measured with and without is what its names say."""

from benchmarks.common.migration import KEY_ENV, routes_yaml
from benchmarks.gateway.resilience import with_resilience, without_resilience
from strangler_gateway.config.file import load
from strangler_gateway.table.rules.resilience import NO_BREAKER

ENVIRON = {KEY_ENV: "k" * 32}


def test_one_table_has_everything_and_the_other_nothing() -> None:
    routes = routes_yaml(1, 2)
    everything = load(with_resilience(routes, 1), ENVIRON).services["origin"]
    nothing = load(without_resilience(routes, 1), ENVIRON).services["origin"]
    assert (len(everything.instances), len(nothing.instances)) == (2, 0)
    assert everything.breaker_rules.watches
    assert nothing.breaker_rules == NO_BREAKER
    assert (everything.max_concurrency, nothing.max_concurrency) == (500, None)
