"""What was worked out for a request head, kept while the client of a connection repeats it."""

from dataclasses import dataclass

from chassis.auth.claims import Identity, IdentityProvider
from strangler_gateway.http.fields import Lines
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route, RouteTable, Service, Side


@dataclass(frozen=True, slots=True)
class BuiltLines:
    """The field lines towards one service, and what they rest on beside the client's own fields."""

    service: Service
    side: Side
    table: RouteTable
    credential: bytes | None
    first: bytes
    """A line that comes before the client's."""
    edited: tuple[tuple[int, bytes], ...]
    """What stands in place of lines of the client's, by their index; empty where a line is gone."""
    last: bytes
    """Lines that come behind the client's."""
    names_request: bool
    """The client's own X-Request-Id is among them."""

    def around(self, lines: Lines) -> bytes:
        """The lines for a head with these lines: its plain ones are sent on as they came."""
        edited = lines.copy()
        for index, line in self.edited:
            edited[index] = line
        edited.append(self.last)
        return self.first + b"".join(edited)


class HeadMemory:
    """One per distinct head. Each entry names what it rests on; a step that finds another one works it out anew.

    `by_authorization`: `identified` rests on Authorization alone. `built` is for all heads whose marked fields repeat.
    """

    __slots__ = ("built", "by_authorization", "identified", "lines", "matched")

    def __init__(self) -> None:
        self.matched: tuple[Matcher, Route, tuple[bytes, ...]] | None = None
        """The matcher that was asked, its route, and what the route's variables captured."""
        self.identified: tuple[IdentityProvider, Identity] | None = None
        self.by_authorization = False
        self.built: BuiltLines | None = None
        self.lines: bytes | None = None
        """What `built` makes of the head's lines."""

    def for_another(self, same_path: bool, same_fields: bool) -> "HeadMemory":
        """For a head of the same method whose fields differ at most in plain values."""
        other = HeadMemory()
        if same_path:
            other.matched = self.matched
        if same_fields or self.by_authorization:
            other.identified = self.identified
            other.by_authorization = self.by_authorization
        other.built = self.built
        if same_fields:
            other.lines = self.lines
        return other
