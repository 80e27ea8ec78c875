"""Paths that a service gets instead of the client's, for targets that replace a whole path or a prefix alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from strangler_gateway.export.rules import ExportOptions, ExportRefused, ForwardRule, WeightedEnd
from strangler_gateway.export.templates import VARIABLE
from strangler_gateway.table.position import WHOLE
from strangler_gateway.table.template import parse


class PathNotReplaced(ExportRefused):
    """The target cannot give a service the path that the route says."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The text in place of the path, or of the prefix `/`."""

    text: str
    is_prefix: bool


def rewritten(rule: ForwardRule, end: WeightedEnd, target: str) -> Rewritten:
    """Raises ExportRefused where the target has no such form."""
    template = parse(rule.route.path)
    if end.rewrite is None and template.takes_all:
        return Rewritten(f"{end.target}/", is_prefix=True)
    if end.rewrite is not None and template.takes_all:
        before, variable, after = [*VARIABLE.split(end.target), "", ""][:3]
        if variable and before.endswith("/") and not after:
            return Rewritten(before, is_prefix=True)
    if end.rewrite is not None and not VARIABLE.search(end.target):
        return Rewritten(end.target, is_prefix=False)
    raise not_replaced(rule, end, target)


def not_replaced(rule: ForwardRule, end: WeightedEnd, target: str) -> PathNotReplaced:
    """What to do instead."""
    return PathNotReplaced(
        f"{target} cannot give {end.service.name} the path {end.target or '/'} of the route {rule.route.id}: let the "
        f"service answer at {rule.route.path}, or leave the route with a gateway (--gateway URL)"
    )


def left_with_gateway(rule: ForwardRule, options: ExportOptions, act: Callable[[ForwardRule], object]) -> ForwardRule:
    """The rule, or one that leads to the gateway where the target cannot act on it. Raises PathNotReplaced without."""
    try:
        act(rule)
    except PathNotReplaced:
        if options.gateway is None:
            raise
        return replace(rule, ends=(WeightedEnd(options.gateway, WHOLE),))
    return rule
