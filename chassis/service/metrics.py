"""The Prometheus text format (version 0.0.4): the one renderer of every deployable."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """`samples`: a value for each set of labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Sequence[tuple[Labels, float]]

    def lines(self) -> Iterator[str]:
        """The whole block."""
        yield _head(self.name, self.kind, self.help)
        for labels, value in self.samples:
            yield f"{self.name}{_braced(_pairs(labels))} {value}\n"


@dataclass(frozen=True, slots=True)
class Histogram:
    """`series`: labels, the observations in each bucket of `bounds` and above the last, and their sum."""

    name: str
    help: str
    bounds: Sequence[float]
    series: Sequence[tuple[Labels, Sequence[int], float]]

    def lines(self) -> Iterator[str]:
        """The whole block; Prometheus wants each bucket to count the smaller ones as well."""
        yield _head(self.name, "histogram", self.help)
        for labels, counts, total in self.series:
            pairs, count = _pairs(labels), 0
            for bound, observed in zip((*self.bounds, "+Inf"), counts, strict=True):
                count += observed
                bucket = _braced([*pairs, f'le="{bound}"'])
                yield f"{self.name}_bucket{bucket} {count}\n"
            yield f"{self.name}_sum{_braced(pairs)} {total}\n"
            yield f"{self.name}_count{_braced(pairs)} {count}\n"


def gauge(name: str, help: str, values: Mapping[str, float] | float, label: str = "state") -> Metric:
    """`values`: by the value of its one label; or one value, without a label."""
    if not isinstance(values, Mapping):
        return Metric(name, "gauge", help, [({}, values)])
    return Metric(name, "gauge", help, [({label: of}, value) for of, value in values.items()])


def rendered(*metrics: Metric | Histogram) -> str:
    """One block each, in order."""
    return "".join(line for metric in metrics for line in metric.lines())


def _head(name: str, kind: str, help: str) -> str:
    text = help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _pairs(labels: Labels) -> list[str]:
    return [f'{label}="{_escaped(value)}"' for label, value in labels.items()]


def _braced(pairs: Sequence[str]) -> str:
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
