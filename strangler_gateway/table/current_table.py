"""The table that requests are served by now: the one reference that a flip or a reload swaps."""

from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import RouteTable


class CurrentTable:
    """`matcher` belongs to `table`; both are immutable and change together. Requests under way keep theirs."""

    __slots__ = ("matcher", "table")

    def __init__(self, table: RouteTable) -> None:
        self.adopt(Matcher(table))

    def adopt(self, matcher: Matcher) -> None:
        """Serves another table from the next request on."""
        self.matcher = matcher
        self.table = matcher.table
