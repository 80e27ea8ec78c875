"""The gateway's counters as Prometheus reads them: by route, side and status, without anybody's data."""

from prometheus_client.parser import text_string_to_metric_families

from chassis.service.metrics import rendered
from strangler_gateway.table.routes import Side
from strangler_gateway.telemetry.metrics_page import request_metrics
from strangler_gateway.telemetry.stats import COUNTERS, Stats
from tests.unit.strangler_gateway.telemetry.test_stats import TABLE, exchange


def test_requests_are_counted_by_route_side_and_status() -> None:
    stats = Stats()
    stats.count(exchange(b"/secret-token"), 0.003)
    stats.count(exchange(side=Side.EXTRACTED, status=404), 0.3)
    stats.count(exchange(side=Side.EXTRACTED, status=404), 0.3)
    for number, counter in enumerate(COUNTERS[4:], 10):
        setattr(stats.route("all"), counter, number)
    stats.route("all").shadow_different += stats.route("all").shadow_accepted
    text = rendered(*request_metrics(stats, TABLE))
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    read = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
    name = "strangler_requests_total"
    assert {key[1:]: value for key, value in read.items() if key[0] == name} == {
        ("all", "legacy", "200"): 1,
        ("all", "extracted", "404"): 2,
    }
    assert read["strangler_request_duration_seconds_bucket", "all", "legacy", "0.005"] == 1
    assert read["strangler_request_duration_seconds_sum", "all", "extracted"] == 0.6
    assert [read[f"strangler_{counter}_total", "all"] for counter in COUNTERS[4:]] == list(range(10, 6 + len(COUNTERS)))
    assert read["strangler_undeclared_total",] == 3
    assert "secret-token" not in text
