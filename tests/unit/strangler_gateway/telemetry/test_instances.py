"""What is known of instances is added up over the processes of a gateway, and shown."""

from chassis.service.metrics import rendered
from strangler_gateway.telemetry.instances import InstanceStatus, heard, instance_metrics, summed, told

HERE = [
    InstanceStatus("shop", "a:1", "failing", requests=3, failures=2, ejections=1, outstanding=1, connections=2),
    InstanceStatus("shop", "b:1", "slow_start", requests=5),
]
THERE = [InstanceStatus("shop", "a:1", "in", requests=10, failures=1, connections=1), InstanceStatus("monolith", "m:1")]


def test_numbers_add_up_and_an_instance_is_left_out_where_one_process_leaves_it_out() -> None:
    for parts in ([*HERE, *heard(told(THERE))], [*THERE, *heard(told(HERE))]):
        by_name = {(one.service, one.instance): one for one in summed(parts)}
        assert by_name["shop", "a:1"] == InstanceStatus("shop", "a:1", "failing", 13, 3, 1, 1, 3)
        assert by_name["shop", "b:1"] == HERE[1]
        assert by_name["monolith", "m:1"] == THERE[1]
    assert HERE[0].view()["left_out"] is True
    assert HERE[1].view()["left_out"] is False


def test_the_metrics_page_names_service_and_instance() -> None:
    page = rendered(*instance_metrics(HERE))
    for line in (
        'strangler_upstream_requests_total{service="shop",address="a:1"} 3',
        'strangler_upstream_failures_total{service="shop",address="a:1"} 2',
        'strangler_upstream_left_out{service="shop",address="a:1"} 1',
        'strangler_upstream_left_out{service="shop",address="b:1"} 0',
        'strangler_upstream_outstanding{service="shop",address="a:1"} 1',
    ):
        assert line in page.splitlines()
