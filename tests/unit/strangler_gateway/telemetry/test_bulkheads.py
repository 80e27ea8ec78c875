"""What is known of services adds up over processes, and stands on the metrics page."""

from chassis.service.metrics import rendered
from strangler_gateway.telemetry.bulkheads import (
    BulkheadStatus,
    all_bulkheads,
    bulkhead_metrics,
    hear_bulkheads,
    tell_bulkheads,
)

ONE = BulkheadStatus("shop", "closed", "", 0, 100, 1, 0, 3, 10, 1, 20, 0.25, 1, 2, 3, 4, 5)
OTHER = BulkheadStatus("shop", "open", "sick", 2, 50, 50, 1, 0, 10, 2, 20, 0.75, 10, 20, 30, 40, 50)
ELSEWHERE = BulkheadStatus("mail", places=5)


def test_of_several_processes_numbers_add_up_and_the_worst_breaker_is_told() -> None:
    both = BulkheadStatus("shop", "open", "sick", 2, 150, 51, 1, 3, 20, 3, 40, 0.75, 11, 22, 33, 44, 55)
    assert all_bulkheads([ONE, ELSEWHERE, OTHER]) == [both, ELSEWHERE]
    assert hear_bulkheads(tell_bulkheads([ONE, OTHER])) == [ONE, OTHER]


def test_the_metrics_page_has_them_by_service() -> None:
    lines = rendered(*bulkhead_metrics([OTHER, ELSEWHERE])).splitlines()
    assert {
        'strangler_upstream_breaker_open{service="shop"} 1',
        'strangler_upstream_breaker_open{service="mail"} 0',
        'strangler_upstream_breaker_opened_total{service="shop"} 2',
        'strangler_upstream_refused_total{service="shop",reason="late"} 20',
        'strangler_upstream_waiting{service="shop"} 2',
        'strangler_upstream_waiting_seconds{service="shop"} 0.75',
        'strangler_upstream_places{service="mail"} 5',
    } <= set(lines)
