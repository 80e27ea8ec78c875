"""What was worked out for a request head, kept while the client of a connection repeats it."""

from dataclasses import dataclass

from chassis.auth.claims import Identity, IdentityProvider
from strangler_gateway.http.fields import Lines
from strangler_gateway.http.request_head import RequestMeaning
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route, RouteTable, Service, Side


@dataclass(frozen=True, slots=True)
class BuiltLines:
    """The field lines towards one service, and what they rest on beside the client's plain fields."""

    meaning: RequestMeaning
    service: Service
    side: Side
    table: RouteTable
    credential: bytes | None
    patience_s: float
    first: bytes
    """A line that comes before the client's."""
    edited: tuple[tuple[int, bytes], ...]
    """What stands in place of lines of the client's, by their index."""
    gone: tuple[int, ...]
    """Lines of the client's that are not sent on, the last one first."""
    last: bytes
    """Lines that come behind the client's."""
    sends_credential: bool
    """The client's Authorization is among them, as it came."""
    names_request: bool
    """The client's own X-Request-Id is among them."""

    def around(self, lines: Lines) -> bytes:
        """The lines for a head with these lines: its plain ones are sent on as they came."""
        sent = lines.copy()
        for index, line in self.edited:
            sent[index] = line
        for index in self.gone:
            del sent[index]
        sent.append(self.last)
        return self.first + b"\r\n".join(sent)


Identified = tuple[Identity, IdentityProvider | None]
"""The caller, and the provider that knows the user."""

Issued = tuple[Identity, str, int, bytes]
"""An internal token behind whom it names, for which service, and when it was signed (Unix seconds)."""


class HeadMemory:
    """One per connection. Each entry names what it rests on; a step that finds another one works it out anew.

    What rests on the marked fields names the head's `meaning`, with the credential also its `authorization_line`; what
    rests on all fields names its `lines`.
    """

    __slots__ = ("built", "identified", "issued", "joined", "matched", "passes")

    def __init__(self) -> None:
        self.matched: tuple[Matcher, RequestMeaning, bytes, Route, tuple[bytes, ...]] | None = None
        """The matcher that was asked, for which path; its route, and what the route's variables captured."""
        self.identified: tuple[object, RequestMeaning | Lines, bytes, Identified] | None = None
        """The sources that were asked; what it rests on, with the credential; what they said."""
        self.passes: tuple[object, RequestMeaning, bytes] | None = None
        """The sources that were asked; a head whose credential none of them exchanges."""
        self.issued: Issued | None = None
        """The internal token that was sent last."""
        self.built: BuiltLines | None = None
        self.joined: tuple[BuiltLines, Lines | bytes, bytes] | None = None
        """What `built` makes of a head's lines; of those `after` the credential's, where it is not sent on."""
