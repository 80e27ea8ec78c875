"""Which of two rules wins that take the same path, where the target has an order of its own.

Exact paths come before expressions, and expressions before prefixes. Of expressions the Gateway API leaves it open;
Envoy Gateway takes the longest. So the rule that has to win is made longer, by groups that are empty.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from strangler_gateway.export.pattern import EMPTY, PathPattern
from strangler_gateway.export.rules import ForwardRule
from strangler_gateway.table.template import Template, parse


def overlapping(found: Sequence[ForwardRule]) -> Iterator[tuple[int, int]]:
    """Places of two rules by expressions that can take the same request; the first has to win."""
    by_regex = [(at, rule, parse(rule.route.path)) for at, rule in enumerate(found) if rule.path.kind == "regex"]
    for number, (at, first, template) in enumerate(by_regex):
        for other, second, compared in by_regex[number + 1 :]:
            if _share_a_method(first, second) and _share_a_path(template, compared):
                yield at, other


def lengthened(found: Sequence[ForwardRule]) -> tuple[ForwardRule, ...]:
    """The rules, each expression longer than those that it has to win over."""
    made = list(found)
    for at, other in sorted(overlapping(found), reverse=True):
        made[at] = _longer_than(made[other], made[at])
    return tuple(made)


def _longer_than(second: ForwardRule, first: ForwardRule) -> ForwardRule:
    missing = len(second.path.text) + 1 - len(first.path.text)
    groups = max(0, -(-missing // len(EMPTY)))
    return replace(first, path=PathPattern("regex", first.path.text + groups * EMPTY))


def _share_a_method(first: ForwardRule, second: ForwardRule) -> bool:
    return first.methods is None or second.methods is None or bool(set(first.methods) & set(second.methods))


def _share_a_path(first: Template, second: Template) -> bool:
    """Case and spelling do not matter here: a pair too many is only a remark too many."""
    shorter = min(len(first.segments), len(second.segments))
    same = all(
        one is None or two is None or one.lower() == two.lower()
        for one, two in zip(first.segments[:shorter], second.segments[:shorter], strict=True)
    )
    longer = len(first.segments) - len(second.segments)
    return same and (longer == 0 or (longer > 0 and second.rest) or (longer < 0 and first.rest))
