"""The shipped routes.yaml with a plan for every group: the days of a real plan are seconds here."""

import re

from examples.demo.system import ROUTES
from examples.migration.__main__ import routes_text
from examples.migration.ladder import GATE
from strangler_gateway.table.routes import Route, RouteTable

RETIRE_AFTER = "10s"
SHARES = (25, 50)
CANARY = ", ".join(f"canary {share}% 4s" for share in SHARES)
LATENCY = 'min_latency: 12, min_pairs: 6, latency_skip: 1s, latency_slack: 500ms, sizes: "off"'
"""Of each gate: a few users on a busy machine show no more, and their lists differ in length."""
WHY = "  # In the story the clock is compressed: a real plan has hours and days where this one has seconds.\n"


def with_plans(table: RouteTable, groups: list[str]) -> str:
    """The text of routes.yaml. A group that shadow cannot compare begins with the canary."""
    text = routes_text().replace("groups:\n", f"groups:\n{WHY}", 1)
    for group in groups:
        shadow = "shadow 4s, " if _comparable(table, group) else ""
        plan = f"plan: {{auto: true, steps: [{shadow}{CANARY}, extracted], cool_down: 10s}}"
        line = rf"  {group}: {{\1, retire_after: {RETIRE_AFTER}, {plan}}}"
        text, number = re.subn(rf"^  {re.escape(group)}: {{(.*)}}", line, text, count=1, flags=re.MULTILINE)
        assert number == 1, f"{ROUTES.name} has no group {group} in one line"
    gate = f"gate: {{min: {GATE}"
    return text.replace(gate, f"{gate}, {LATENCY}")


def _comparable(table: RouteTable, group: str) -> bool:
    return any(_compared(route) for route in table.routes if route.movable.name == group)


def _compared(route: Route) -> bool:
    return route.has_new_end and route.shadow is not None
