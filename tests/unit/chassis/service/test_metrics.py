"""Metrics as Prometheus reads them."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.service.metrics import Histogram, Metric, gauge, rendered


def read(metric: Metric | Histogram) -> dict[tuple[str, ...], float]:
    """By name and values of the labels."""
    [family] = text_string_to_metric_families(rendered(metric))
    assert (family.documentation, family.type) == (metric.help, getattr(metric, "kind", "histogram"))
    return {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}


def test_values_stand_beside_their_labels_which_are_escaped() -> None:
    odd = 'odd "\\\n'
    assert read(gauge("mails", "By state.", {"sent": 12_345_678, odd: 0.5})) == {
        ("mails", "sent"): 12_345_678,
        ("mails", odd): 0.5,
    }
    assert read(gauge("age", "Of one; a\\b\nc.", 2)) == {("age",): 2}
    assert read(Metric("n_total", "counter", "x", [({"a": "1", "b": "2"}, 3)])) == {("n_total", "1", "2"): 3}


def test_a_bucket_counts_the_smaller_ones_as_well() -> None:
    assert read(Histogram("t_s", "x", (0.1, 1.0), [({"of": "a"}, (1, 2, 4), 9.5)])) == {
        ("t_s_bucket", "a", "0.1"): 1,
        ("t_s_bucket", "a", "1.0"): 3,
        ("t_s_bucket", "a", "+Inf"): 7,
        ("t_s_sum", "a"): 9.5,
        ("t_s_count", "a"): 7,
    }


@pytest.mark.parametrize("value", [0, 1e21, 0.1 + 0.2, 10**15])
def test_no_digit_is_lost(value: float) -> None:
    assert read(gauge("n", "x", value)) == {("n",): value}
