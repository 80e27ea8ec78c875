"""The Prometheus text format (version 0.0.4) of a few gauges."""

from collections.abc import Mapping
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Gauge:
    """`values`: by the value of its one label; or one value, without a label."""

    name: str
    help: str
    values: Mapping[str, float] | float
    label: str = "state"


def rendered(*gauges: Gauge) -> str:
    """One block each, in order."""
    return "".join(_block(gauge) for gauge in gauges)


def _block(gauge: Gauge) -> str:
    head = f"# HELP {gauge.name} {gauge.help}\n# TYPE {gauge.name} gauge\n"
    if not isinstance(gauge.values, Mapping):
        return f"{head}{gauge.name} {gauge.values}\n"
    rows = (f'{gauge.name}{{{gauge.label}="{_escaped(of)}"}} {value}\n' for of, value in gauge.values.items())
    return head + "".join(rows)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
