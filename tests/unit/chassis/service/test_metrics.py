"""Gauges as Prometheus reads them."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.service.metrics import Gauge, rendered


def test_what_is_written_is_read_by_prometheus() -> None:
    text = rendered(Gauge("mails", "By state.", {"sent": 12_345_678, 'odd "\\\n': 0.5}), Gauge("age", "Of one.", 2))
    read = {
        (sample.name, *sample.labels.values()): sample.value
        for f in text_string_to_metric_families(text)
        for sample in f.samples
    }
    assert read == {("mails", "sent"): 12_345_678, ("mails", 'odd "\\\n'): 0.5, ("age",): 2}


@pytest.mark.parametrize("value", [0, 1e21, 0.1 + 0.2, 10**15])
def test_no_digit_is_lost(value: float) -> None:
    [family] = text_string_to_metric_families(rendered(Gauge("n", "x", value)))
    assert family.samples[0].value == value
