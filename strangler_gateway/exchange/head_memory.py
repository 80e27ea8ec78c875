"""What was worked out for a request head, kept while the client of a connection repeats it."""

from dataclasses import dataclass

from chassis.auth.claims import Identity, IdentityProvider
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route, RouteTable, Service, Side


@dataclass(frozen=True, slots=True)
class BuiltLines:
    """The field lines towards one service, and what they rest on beside the client's own fields."""

    service: Service
    side: Side
    table: RouteTable
    credential: bytes | None
    lines: bytes
    names_request: bool
    """The client's own X-Request-Id is among them."""


class HeadMemory:
    """One per distinct head. Each entry names what it rests on; a step that finds another one works it out anew."""

    __slots__ = ("built", "identified", "matched")

    def __init__(self) -> None:
        self.matched: tuple[Matcher, Route, tuple[bytes, ...]] | None = None
        """The matcher that was asked, its route, and what the route's variables captured."""
        self.identified: tuple[IdentityProvider, Identity] | None = None
        self.built: BuiltLines | None = None

    def for_another_target(self) -> "HeadMemory":
        """The same fields with another target: the route has to be found again."""
        other = HeadMemory()
        other.identified, other.built = self.identified, self.built
        return other
