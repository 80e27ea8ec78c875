"""What a query in PromQL asks for, by Prometheus' own grammar."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser

_VARIABLE = re.compile(r"\$__rate_interval")


@dataclass(frozen=True)
class Selector:
    """A metric with its matchers: (label, operator, value)."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Query:
    """`grouped`: the labels that sums are made by."""

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]


_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def read(expression: str) -> Query:
    """Raises ValueError for what is not PromQL. Grafana's variable for a range stands for one."""
    nodes = list(_nodes(promql_parser.parse(_VARIABLE.sub("5m", expression))))
    selectors = [_selector(node) for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    grouped = [_labels(node) for node in nodes if isinstance(node, promql_parser.AggregateExpr)]
    return Query(tuple(selectors), frozenset().union(*grouped))


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if (child := getattr(node, name, None)) is not None:
            yield from _nodes(child)
    for child in getattr(node, "args", ()):
        yield from _nodes(child)


def _selector(node: Any) -> Selector:
    matchers = ((one.name, _OPERATORS[str(one.op).rpartition(".")[2]], one.value) for one in node.matchers.matchers)
    return Selector(node.name, tuple(matchers))


def _labels(node: Any) -> set[str]:
    return set(node.modifier.labels) if node.modifier is not None else set()
